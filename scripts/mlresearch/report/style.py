"""The style sheet of the HTML report: light and dark as the reader has it, system fonts, nothing fetched."""

CSS = """
:root {
  color-scheme: light dark;
  --paper: #fbfbf9; --card: #ffffff; --ink: #1d2229; --soft: #5c6570; --rule: #e2e4e2;
  --incumbent: #2457c5; --band: #2457c51c; --confirmed: #0b7d55; --refuted: #b8620b; --below: #8b939c;
  --crash: #bd2944; --open: #7a4fc0;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --card: #1b1f25; --ink: #e6e8ea; --soft: #9aa4af; --rule: #2e343c;
    --incumbent: #7ea6ff; --band: #7ea6ff24; --confirmed: #3ecb95; --refuted: #eda04a; --below: #79828c;
    --crash: #ff7189; --open: #b794f4;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main { max-width: 1160px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 27px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 44px 0 12px; }
p { margin: 8px 0; max-width: 84ch; overflow-wrap: anywhere; }
code, td.num, .mono {
  font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 13px;
}
code { overflow-wrap: anywhere; }
td.num, .mono { white-space: nowrap; }
.soft { color: var(--soft); }
.headline {
  font-size: 16px; max-width: none; border-left: 3px solid var(--incumbent); padding: 2px 0 2px 14px;
  margin: 18px 0 24px;
}
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 12px; margin: 0; }
.cards div, figure, .scroll { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; }
.cards div { padding: 14px 16px; }
.cards dt { color: var(--soft); font-size: 13px; }
.cards dd { margin: 2px 0 0; font-size: 25px; font-weight: 650; font-variant-numeric: tabular-nums; }
.cards dd + dd { font-size: 13px; font-weight: 400; color: var(--soft); overflow-wrap: anywhere; }
figure { margin: 0; padding: 16px; }
figcaption {
  display: flex; flex-wrap: wrap; gap: 4px 18px; color: var(--soft); font-size: 13px; margin-top: 8px;
}
svg { display: block; width: 100%; height: auto; }
figcaption svg { display: inline; width: 16px; height: 12px; vertical-align: -1px; margin-right: 6px; }
svg text { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
.grid { stroke: var(--rule); stroke-width: 1; }
.band, .area { fill: var(--band); }
.base { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 4 4; }
.target { stroke: var(--open); stroke-width: 1; stroke-dasharray: 2 4; }
path.incumbent, path.total { fill: none; stroke: var(--incumbent); stroke-width: 2; stroke-linejoin: round; }
.seed { fill: none; stroke: var(--soft); stroke-width: 1.2; }
svg .confirmed { fill: var(--confirmed); stroke: var(--confirmed); }
svg .refuted { fill: none; stroke: var(--refuted); stroke-width: 1.8; }
svg .below-screen { fill: var(--below); stroke: none; }
svg .crash { fill: none; stroke: var(--crash); }
svg .candidate, svg .open { fill: none; stroke: var(--open); stroke-width: 1.8; }
svg .cross { fill: none; stroke-width: 2; stroke-linecap: round; }
svg .whisker { stroke-width: 2; }
.scroll { overflow-x: auto; }
figure + .scroll { margin-top: 12px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
th, td { text-align: left; vertical-align: top; padding: 8px 11px; border-bottom: 1px solid var(--rule); }
tr:last-child td { border-bottom: 0; }
th { color: var(--soft); font-weight: 550; font-size: 12.5px; line-height: 1.3; vertical-align: bottom; }
th.num, td.num { text-align: right; font-variant-numeric: tabular-nums; }
td.fresh { white-space: normal; min-width: 9em; }
td.say { min-width: 15em; max-width: 34em; overflow-wrap: anywhere; }
td.lever { min-width: 7em; max-width: 16em; overflow-wrap: anywhere; }
tr.total td { font-weight: 650; }
.state { white-space: nowrap; font-weight: 600; }
.state.confirmed { color: var(--confirmed); }
.state.refuted { color: var(--refuted); }
.state.below-screen { color: var(--soft); font-weight: 400; }
.state.crash { color: var(--crash); }
.state.candidate, .state.open { color: var(--open); }
.bar {
  display: block; width: 100%; min-width: 120px; height: 8px; border-radius: 4px; background: var(--rule);
  margin-top: 7px; overflow: hidden;
}
.bar i { display: block; height: 100%; background: var(--incumbent); }
.bar i.over { background: var(--crash); }
details { margin: 10px 0; }
summary { cursor: pointer; font-weight: 600; }
details li { margin: 4px 0; overflow-wrap: anywhere; }
footer { margin-top: 48px; padding-top: 16px; border-top: 1px solid var(--rule); font-size: 13.5px; }
@media (max-width: 620px) {
  main { padding: 24px 14px 48px; }
  figure { padding: 8px; }
  svg text { font-size: 17px; }
}
@media print { .scroll { overflow: visible; } }
"""
