package udp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// BenchmarkLoopback sends 1,400-byte packets from one socket to another of
// this machine as fast as it can, and prints what arrived.
func BenchmarkLoopback(b *testing.B) {
	for _, addr := range []string{"127.0.0.1", "::1"} {
		for _, offload := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/offload=%v", addr, offload), func(b *testing.B) {
				benchmarkLoopback(b, Config{Addr: netip.MustParseAddr(addr), NoOffload: !offload})
			})
		}
	}
}

func benchmarkLoopback(b *testing.B, cfg Config) {
	const size, burst = 1400, 184 // four trains
	from, to := listen(b, cfg), listen(b, cfg)
	batch := NewBatch(size * burst)
	for range burst {
		batch.Add(To(addrOf(to)), make([]byte, size))
	}
	received := make(chan Stats)
	go func() {
		for r := range to.Incoming() {
			r.Release()
		}
		received <- to.Stats()
	}()
	b.SetBytes(size * burst)
	b.ResetTimer()
	start := time.Now()
	for range b.N {
		if err := from.Write(batch); err != nil {
			b.Fatal(err)
		}
	}
	took := time.Since(start).Seconds()
	b.StopTimer()
	to.Close()
	got, sent := <-received, from.Stats()
	b.ReportMetric(float64(got.ReceivedBytes)*8/took/1e9, "Gbit/s")
	b.ReportMetric(100*(1-float64(got.Received)/float64(sent.Sent)), "%lost")
	b.ReportMetric(float64(got.Received)/float64(got.Reads), "packets/read")
}
