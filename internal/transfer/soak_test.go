package transfer
import ("testing";"os";"path/filepath";"errors";"math/rand/v2";"strconv")
func TestSoakTmp(t *testing.T){
 n,_:=strconv.Atoi(os.Getenv("SOAK")); base,_:=strconv.Atoi(os.Getenv("BASE"))
 for seed:=base; seed<base+n; seed++ {
  rng:=rand.New(rand.NewPCG(uint64(seed),77))
  size:=rng.IntN(20*blockSize); if rng.IntN(10)==0 {size=rng.IntN(3)}
  b:=content(uint64(seed),size)
  var top string
  t.Run("s",func(t *testing.T){
  w:=newWorld(t,uint64(seed))
  w.link.piece=[]int{1400,9000,300000,1<<20}[rng.IntN(4)]; w.link.batch=1+rng.IntN(60); w.link.loss=rng.Float64()*0.5; w.link.dup=rng.Float64()*0.3
  if rng.IntN(4)==0 { w.link.corrupt=func(p packet){ if w.rng.IntN(2000)==0 { p.data[0]^=1 } } }
  src,dir:=place(t,b); top=dir
  sc:=SenderConfig{Path:src}; rc:=ReceiverConfig{Dir:dir}
  sc.Memory=int64(8+rng.IntN(25))<<20; rc.Memory=int64(8+rng.IntN(25))<<20
  if rng.IntN(3)==0 && size>0 { rc.Skip=int64(rng.IntN(size)+1); if rng.IntN(2)==0 {sc.Skip=rng.Int64N(rc.Skip+1)}; writeFile(t,filepath.Join(dir,"file.bin"),b[:rc.Skip]) }
  isSkip:=rc.Skip>0
  ok:=false
  for run:=0; run<60 && !ok; run++ {
   w.exec=&delayed{rng:w.rng}; if rng.IntN(5)==0 {w.exec=inline{}}
   safe:=journaled(t,dir,"file.bin")
   w.connect(sc,rc)
   k:=rng.IntN(400); if run>12 {k=1<<30}
   for i:=0;i<k;i++ { w.round(); w.checkMemory(); if rng.IntN(30)==0 {w.now=w.now.Add(journalPeriod)}
     sd,_:=w.s.Done(); rd,_:=w.r.Done(); if sd&&rd {break} }
   wantNotSent(t,w,safe)
   sd,serr:=w.s.Done(); rd,rerr:=w.r.Done()
   if sd&&rd { w.close()
     if serr==nil && rerr==nil { ok=true; break }
     var e *Error
     if errors.As(rerr,&e) && e.Kind==Corrupt && w.link.corrupt!=nil { continue }
     if errors.As(rerr,&e) && e.Kind==BadSkip && w.link.corrupt!=nil { continue }
     t.Fatalf("seed %d: %v / %v",seed,serr,rerr) }
   switch rng.IntN(5) {
   case 0: w.crash()
   case 1: w.s.Stop(nil); w.s.Step(w.now); w.finish()
   case 2: w.r.Stop(nil); w.r.Step(w.now); w.finish()
   case 3: w.s.PeerClosed(nil); w.r.PeerClosed(nil); w.finish()
   case 4: w.s.Close(); w.r.Close(); for w.exec.round() {}; if !w.r.released||!w.s.released {t.Fatal("open")}
   }
   if g,err:=os.ReadFile(filepath.Join(dir,"file.bin")); err==nil { if string(g)==string(b) { ok=true } else if !isSkip || string(g)!=string(b[:rc.Skip]) { t.Fatalf("seed %d: mixture",seed) } }
  }
  if !ok {t.Fatalf("seed %d: never",seed)}
  wantFile(t,filepath.Join(dir,"file.bin"),b)
  })
  os.RemoveAll(filepath.Dir(top))
  if t.Failed() {return}
 }
}
