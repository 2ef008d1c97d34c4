"""What the page looks like. Drawings take their colours from variables, a light and a dark set."""

from __future__ import annotations

from fleet.report.palette import COLOURS
from fleet.report.styles import DARK_ROOT, DARK_TINT, FONT, LIGHT_ROOT, TINT

HEAT = ("#cfe27a", "#98d35c", "#4ac16d", "#1fa187", "#277f8e", "#365c8d", "#46327e", "#440154")
"""From least to most: the more, the further from the ground (viridis, which most people tell apart)."""
DARK_HEAT = ("#51469b", "#3b6ba0", "#2a8a97", "#25a98a", "#4ac16d", "#86d549", "#c5e021", "#fde725")


def _also(tint: str, heat: tuple[str, ...]) -> str:
    return f":root{{--tint:{tint};{''.join(f'--h{number}:{colour};' for number, colour in enumerate(heat))}}}"


_LINES = "".join(f".l{n}{{stroke:var(--c{n})}}" for n in range(len(COLOURS)))
_HEATS = "".join(f".h{n}{{fill:var(--h{n})}}.b{n}{{background:var(--h{n})}}" for n in range(len(HEAT)))
_PICKS = "".join(f".p-{one}:checked~.m-{one}{{display:block}}" for one in ("speed", "time", "reward"))

STYLE = (
    ":root{color-scheme:light dark}"
    + LIGHT_ROOT
    + _also(TINT, HEAT)
    + "*{box-sizing:border-box}"
    + f"body{{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 {FONT}}}"
    + "main{max-width:1040px;margin:0 auto;padding:20px 16px 48px}"
    + "h1{font-size:22px;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}"
    + "h2{font-size:17px;line-height:1.3;margin:32px 0 6px;overflow-wrap:anywhere}"
    + "h3{font-size:14px;line-height:1.3;margin:0;font-weight:600}"
    + "p{margin:4px 0;overflow-wrap:anywhere}.lead{font-size:17px;margin:10px 0 4px}.soft{color:var(--soft);font-size:13px}"
    + ".advice{margin:18px 0;padding:12px 16px;background:var(--tint);border-left:4px solid var(--ink)}"
    + ".advice h2{font-size:15px;margin:0 0 4px}.advice ul{margin:0;padding:0 0 0 18px}.advice li{overflow-wrap:anywhere}"
    + "code{font:13px ui-monospace,Menlo,Consolas,monospace}"
    + ".facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(132px,1fr));gap:10px 16px;margin:14px 0;padding:0}"
    + ".facts div{border-top:2px solid var(--grid);padding-top:4px}.facts dt{color:var(--soft);font-size:13px}"
    + ".facts dd{margin:0;font-size:20px;line-height:1.3;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}"
    + ".curves{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,340px),1fr));gap:18px 24px}"
    + "figure{margin:0;min-width:0}.curves figure{display:flex;flex-direction:column;justify-content:space-between}"
    + "figcaption{color:var(--soft);font-size:13px}figcaption h3{color:var(--ink)}"
    + ".chart{display:block;width:100%;height:auto}.chart text{fill:var(--soft);font-size:12px}"
    + ".grid{stroke:var(--grid);fill:none}.line{fill:none;stroke-width:2;stroke-linejoin:round}"
    + ".dots{stroke-width:4;stroke-linecap:round}"
    + _LINES
    + ".keys{display:flex;flex-wrap:wrap;gap:2px 16px;margin:2px 0;color:var(--soft);font-size:13px}"
    + ".key{height:.8em;width:auto;vertical-align:-.05em;margin-right:.4em}"
    + ".maps{border:0;margin:6px 0;padding:0;min-width:0}.maps legend{color:var(--soft);font-size:13px;padding:0 0 4px}"
    + ".maps label{display:inline-block;padding:3px 16px 3px 6px;cursor:pointer}.maps input{margin:0;accent-color:var(--c0)}"
    + ".map{display:none;margin-top:6px}"
    + _PICKS
    + ".ground{display:block;width:100%;height:auto;max-height:76vh}"
    + ".ground path{vector-effect:non-scaling-stroke}.road{fill:var(--tint);fill-rule:evenodd}"
    + ".border{fill:none;stroke:var(--soft);stroke-width:1.5}"
    + ".left{fill:none;stroke:var(--c1);stroke-width:1.6}.best{fill:none;stroke:var(--ink);stroke-width:1.8}"
    + ".start{fill:none;stroke:var(--ink);stroke-width:3}.arrow{fill:var(--ink)}"
    + _HEATS
    + ".scale{list-style:none;display:flex;flex-wrap:wrap;gap:2px 14px;margin:2px 0;padding:0;color:var(--soft);"
    + "font-size:13px;font-variant-numeric:tabular-nums}"
    + ".scale i{display:inline-block;width:1.1em;height:1.1em;vertical-align:-.2em;"
    + "margin-right:.4em}"
    + ".scroll{overflow-x:auto;margin:6px 0}details{margin:6px 0}summary{color:var(--soft);font-size:13px;cursor:pointer}"
    + "table{border-collapse:collapse;font-size:13px;line-height:1.4;font-variant-numeric:tabular-nums}"
    + "caption{text-align:left;color:var(--soft);padding:0 0 4px}"
    + "caption span{display:inline-block;position:sticky;left:0;max-width:calc(100vw - 32px);white-space:normal}"
    + "thead{color:var(--soft)}"
    + "th,td{padding:3px 14px 3px 0;border-bottom:1px solid var(--grid);text-align:left;white-space:nowrap;font-weight:400}"
    + "th{font-weight:600}.n{text-align:right}"
    + ":focus-visible{outline:2px solid var(--c0);outline-offset:2px}"
    + "@media(prefers-color-scheme:dark){"
    + DARK_ROOT
    + _also(DARK_TINT, DARK_HEAT)
    + "}"
    + "@media print{.maps input,.maps label{display:none}.map{display:block!important}figure,tr{break-inside:avoid}}"
)
