// The live plot of a session's rate.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { Session } from "./api";
import { rate } from "./format";
import { text } from "./text.en";

const height = 160;

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export function Plot({ of }: { of: Session }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(of);
  latest.current = of; // a plot may be drawn anew long after it was first
  const data = (): uPlot.AlignedData => {
    const samples = latest.current.samples;
    return [samples.map((_, i) => i - samples.length + 1), samples];
  };
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const draw = () => {
      plot.current?.destroy();
      const line = colour("--accent");
      const ink = colour("--ink-soft");
      const grid = { stroke: colour("--line"), width: 1 };
      plot.current = new uPlot(
        {
          width: Math.max(element.clientWidth, 200),
          height,
          legend: { show: false },
          cursor: { show: false },
          scales: { x: { time: false }, y: { range: (_, __, max) => [0, Math.max(max * 1.15, 1000)] } },
          axes: [
            { stroke: ink, grid, ticks: { show: false }, size: 30, incrs: [1, 5, 10, 30, 60, 120, 300], values: (_, v) => v.map((s) => `${s} s`) },
            { stroke: ink, grid, ticks: { show: false }, size: 84, values: (_, v) => v.map((r) => rate(r)) },
          ],
          series: [{}, { stroke: line, width: 2, fill: `${line}22`, points: { show: false } }],
        },
        data(),
        element,
      );
    };
    draw();
    const sizes = new ResizeObserver(() => plot.current?.setSize({ width: Math.max(element.clientWidth, 200), height }));
    sizes.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", draw);
    return () => {
      sizes.disconnect();
      scheme.removeEventListener("change", draw);
      plot.current?.destroy();
      plot.current = null;
    };
  }, []);
  useEffect(() => plot.current?.setData(data()), [of.samples]);
  return <div ref={box} class="plot" role="img" aria-label={`${text.plot}: ${rate(of.rate)}`} data-test="plot" />;
}
