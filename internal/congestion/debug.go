package congestion

import "fmt"

var dbg bool

func (c *Controller) log(t int64, what string, args ...any) {
	if dbg {
		q := int64(0)
		if c.hist.n > 0 {
			q = c.hist.nth(0).rtt - c.path.base.value()
		}
		fmt.Printf("%9.3f [%d] %-10s bw %7.2f cap %7.2f base %6.1f q %6.1f thr %5.1f noise %5.2f  %s\n", float64(t)/1e9, c.cfg.Seed, what,
			c.path.bandwidth*8e-6, c.path.capacity*8e-6, float64(c.path.base.value())/1e6, float64(q)/1e6, float64(c.threshold())/1e6, c.path.calm.noise/1e6, fmt.Sprint(args...))
	}
}
