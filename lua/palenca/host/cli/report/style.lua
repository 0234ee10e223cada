--- How a report looks: on a screen of any width, and on one sheet of A4.
-- @module palenca.host.cli.report.style
return [[
:root { color-scheme: light; --ink: #1c2330; --soft: #566074; --line: #d5dae3; --tint: #f3f5f9;
  --bar: #2f5fd0; --accent: #b3470b; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px; max-width: 960px; color: var(--ink); background: #fff;
  font: 14px/1.4 system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
header { display: flex; flex-wrap: wrap; gap: 4px 24px; align-items: baseline;
  justify-content: space-between; border-bottom: 2px solid var(--ink); padding-bottom: 8px; }
h1 { font-size: 22px; margin: 0; } h2 { font-size: 14px; margin: 16px 0 6px; }
header p, footer p { margin: 0; color: var(--soft); }
.columns { display: grid; grid-template-columns: 1fr 1fr; gap: 0 28px; align-items: start; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: 2px 8px 2px 0; border-bottom: 1px solid var(--line);
  vertical-align: baseline; font-weight: normal; overflow-wrap: anywhere; }
th { color: var(--soft); white-space: nowrap; }
td.value { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
th.person { white-space: normal; color: var(--ink); width: 24%; }
th.value { text-align: right; } .accounts .heading th { white-space: normal; font-size: 12px; }
.accounts td, .accounts .heading th { padding-right: 10px; overflow-wrap: normal; }
.accounts td.id { overflow-wrap: anywhere; } .accounts td.day { white-space: nowrap; }
.currencies { margin-top: 10px; } .currencies th { font-weight: bold; }
td.note { color: var(--soft); font-size: 12px; }
.cards { display: grid; grid-template-columns: repeat(5, 1fr); gap: 10px; margin-top: 12px; }
.card { background: var(--tint); border-radius: 6px; padding: 8px 10px; }
.card b { display: block; font-size: 18px; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: 12px; }
.outcome { border-left: 5px solid var(--soft); background: var(--tint); padding: 8px 12px;
  margin-top: 12px; border-radius: 0 6px 6px 0; }
.outcome b { font-size: 16px; } .outcome p { margin: 4px 0 0; }
.approve { border-color: #1b7f4b; } .decline { border-color: #b3261e; }
.refer, .undecidable { border-color: #9a6700; }
ul { margin: 0; padding-left: 18px; }
svg { width: 100%; height: auto; display: block; }
svg .bar { fill: var(--bar); } svg .partial { fill: #a9bdee; }
svg .window { fill: #fdf0e6; } svg .grid { stroke: var(--line); }
svg .average { stroke: var(--accent); stroke-width: 1.5; stroke-dasharray: 5 3; }
svg text { font-size: 14px; fill: var(--soft); }
svg .axis { text-anchor: end; } svg .name, svg .lacking { text-anchor: middle; }
svg .lacking { fill: var(--accent); font-weight: bold; }
svg .average-name { text-anchor: end; fill: var(--accent); }
.legend { color: var(--soft); font-size: 12px; margin: 2px 0 0; }
.legend i { display: inline-block; width: 12px; height: 9px; background: #fdf0e6;
  border: 1px solid var(--line); margin-right: 4px; }
footer { border-top: 1px solid var(--line); margin-top: 16px; padding-top: 8px; font-size: 12px;
  display: flex; flex-wrap: wrap; gap: 2px 24px; }
@media (max-width: 640px) { body { padding: 12px; } svg text { font-size: 16px; }
  .columns { grid-template-columns: 1fr; }
  .cards { grid-template-columns: 1fr 1fr; }
  .accounts .heading { display: none; } .accounts th, .accounts td { display: block; }
  .accounts tr { display: block; padding-bottom: 4px; } .accounts th { color: var(--ink); }
  .accounts td { border: 0; text-align: left; } .accounts td::before { content: attr(data-label); }
  .accounts td:empty { display: none; }
  .currencies tr { display: grid; grid-template-columns: 1fr auto; }
  .currencies th { grid-column: 1 / 3; } }
@page { size: A4; margin: 10mm; }
@media print { body { padding: 0; max-width: none; font-size: 9.5px; line-height: 1.3; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h1 { font-size: 16px; } h2 { font-size: 11px; margin: 8px 0 3px; }
  .card b { font-size: 13px; }
  .card span, td.note, .legend, .accounts .heading th, footer { font-size: 8.5px; }
  .outcome b { font-size: 12px; } td, th { padding: 1px 6px 1px 0; }
  .columns { grid-template-columns: 1fr 1fr; } .cards { grid-template-columns: repeat(5, 1fr); } }
]]
