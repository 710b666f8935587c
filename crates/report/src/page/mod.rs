//! The HTML file of a report: what was built, then accuracy, network, times, precision, memory, and what the build did.
//!
//! Text that a browser shows at once is written here; graphs and tables are drawn by `page.js` from JSON in the file,
//! as far as they are opened. The file loads nothing: its own policy forbids it.

mod charts;
mod script;
mod tables;

pub use tables::{Table, Tables};

use crate::{EngineReport, Graph, Part, Report, bytes_text, time_text};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

impl Report {
    /// The report as one HTML file.
    pub fn to_html(&self) -> String {
        let sections = self.sections();
        let body = html! {
            header {
                h1 { (self.title) }
                p class="sub" { (self.headline()) }
                nav { @for (id, name, _) in &sections { a href={ "#" (id) } { (name) } } }
            }
            main {
                @for (id, name, content) in &sections { section id=(id) { h2 { (name) } (content) } }
            }
            aside id="details" hidden {}
            script type="application/json" id="data" { (PreEscaped(script::json(self))) }
            script { (PreEscaped(SCRIPT)) }
        };
        document(&self.title, &body)
    }

    fn headline(&self) -> String {
        let graphs = || self.engines.iter().filter_map(|engine| engine.graph.as_ref());
        let layers: usize = graphs().map(|graph| graph.layers.len()).sum();
        let weights: u64 = graphs().filter_map(|graph| graph.memory.as_ref()).map(|memory| memory.weights).sum();
        let mut parts: Vec<String> = self.facts.first().map(|(_, value)| value.clone()).into_iter().collect();
        parts.extend((layers > 0).then(|| format!("{layers} layers")));
        parts.extend((weights > 0).then(|| format!("{} of weights", bytes_text(weights))));
        parts.join(" · ")
    }

    /// Identifier, heading and content of each section that has something to show.
    fn sections(&self) -> Vec<(&'static str, &'static str, Markup)> {
        let has_ranges = self.graphs().flat_map(|graph| &graph.layers).any(|layer| layer.scales.is_some());
        let has_kept = self.graphs().flat_map(|graph| &graph.layers).any(|layer| layer.kept.is_some());
        let mut sections = vec![("engine", "Engine", self.engine()), ("accuracy", "Accuracy", self.accuracy_section())];
        if !self.parts.is_empty() {
            sections.push(("parts", "Parts", parts(&self.parts)));
        }
        sections.push(("network", "Network", self.network()));
        sections.push(("time", "Time", self.time()));
        sections.push(("precision", "Precision", self.precision(has_kept)));
        sections.push(("memory", "Memory", self.memory()));
        if has_ranges {
            sections.push((
                "ranges",
                "Quantization ranges",
                html! {
                    p { "The largest magnitude that each quantized tensor distinguishes; what is larger saturates." }
                    div data-table="ranges" {}
                },
            ));
        }
        sections.push(("build", "Build", self.build_section()));
        sections
    }

    fn graphs(&self) -> impl Iterator<Item = &Graph> {
        self.engines.iter().filter_map(|engine| engine.graph.as_ref())
    }

    fn engine(&self) -> Markup {
        html! {
            (pairs(&self.facts))
            div class="scroll" { table {
                thead { tr { th { "" } th { "name" } th { "type" } th { "sizes" } } }
                tbody { @for port in &self.ports {
                    tr {
                        td { (port.side) }
                        td { code { (port.name) } }
                        td { (port.dtype) }
                        td { code { (port.shape) } }
                    }
                } }
            } }
            @for line in &self.sizes { p { "Sizes: " (line) } }
            @if !self.missing.is_empty() {
                ul class="missing" { @for line in &self.missing { li { (line) } } }
            }
        }
    }

    fn accuracy_section(&self) -> Markup {
        if self.accuracy.is_empty() {
            return note("No comparison with the model is recorded in this engine.");
        }
        html! {
            p { "Largest error of each output against the reference, relative to the largest value of the reference." }
            div class="scroll" { table {
                thead { tr { th { "output" } th { "max relative error" } th {} } }
                tbody { @for row in &self.accuracy {
                    tr {
                        td { code { (row.output) } }
                        td class="number" { @if row.error == 0.0 { "none" } @else { (format!("{:.1e}", row.error)) } }
                        td { (charts::decades(row.error)) }
                    }
                } }
            } }
        }
    }

    fn network(&self) -> Markup {
        if self.graphs().next().is_none() {
            return note(
                "The network is not recorded: this is a plain plan, or a file of an earlier version, or of a network \
                 whose record would be large next to it.",
            );
        }
        let several = self.engines.len() > 1;
        html! {
            p { "Select a module to open it, a layer for details. Colours are the types that layers compute in." }
            (charts::legend(self.graphs()))
            @if several {
                label class="pick" { "Engine " select id="pick" {
                    @for (index, engine) in self.engines.iter().enumerate() {
                        option value=(index) { (engine.name) }
                    }
                } }
            }
            div class="bar" {
                button type="button" id="open-all" { "Open one more level" }
                button type="button" id="close-all" { "Close all" }
            }
            div id="graph" class="graph" {}
        }
    }

    fn time(&self) -> Markup {
        let timed: Vec<&EngineReport> = self.engines.iter().filter(|engine| engine.times.is_some()).collect();
        html! {
            @if timed.is_empty() {
                (note("No times were measured. Pass --bench, or call model_trt.profile(inputs) before the report."))
            }
            @for engine in timed {
                @if let Some(times) = &engine.times {
                    @if !engine.name.is_empty() { h3 { (engine.name) } }
                    p {
                        (times.layers.len()) " layers take " (time_text(times.in_layers())) " of the "
                        (time_text(times.seconds)) " of a call (mean of " (times.calls) " calls)."
                        @if !times.rest.is_empty() { " The rest: " (times.rest) "." }
                    }
                    (charts::timeline(times))
                    @if let Some(graph) = &engine.graph { (charts::by_module(times, graph)) }
                }
            }
            div data-table="layers" {}
        }
    }

    fn precision(&self, has_kept: bool) -> Markup {
        html! {
            @if self.graphs().next().is_none() { (note("The network is not recorded.")) }
            (charts::precision(self.graphs()))
            @if has_kept {
                h3 { "Layers kept in float32" }
                div data-table="kept" {}
            }
        }
    }

    fn memory(&self) -> Markup {
        let of = |engine: &EngineReport| engine.graph.as_ref().and_then(|graph| graph.memory.clone());
        let known: Vec<_> = self.engines.iter().filter_map(|engine| Some((engine, of(engine)?))).collect();
        if known.is_empty() {
            return note("Memory is unknown: the network is not recorded, or a size has no upper bound.");
        }
        html! {
            p { "Estimated from the lifetimes of tensors, at the largest sizes that the engine accepts." }
            @for (engine, memory) in &known {
                @if !engine.name.is_empty() { h3 { (engine.name) } }
                (charts::memory(memory, engine.graph.as_ref()))
            }
        }
    }

    fn build_section(&self) -> Markup {
        html! {
            @if self.build.is_empty() { (note("The file holds no record of the build.")) }
            (pairs(&self.build))
            @if !self.options.is_empty() { h3 { "Options" } (pairs(&self.options)) }
        }
    }
}

/// An HTML file with the style of reports.
fn document(title: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="color-scheme" content="light dark";
                title { (title) " – torch2trt report" }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    }
    .into_string()
}

fn note(text: &str) -> Markup {
    html! { p class="note" { (text) } }
}

fn pairs(rows: &[(String, String)]) -> Markup {
    html! { dl { @for (name, value) in rows { dt { (name) } dd { (value) } } } }
}

fn parts(parts: &[Part]) -> Markup {
    html! {
        p { "The engines and the parts that run in PyTorch, in execution order." }
        ol class="parts" { @for part in parts {
            li class=(if part.is_engine { "is-engine" } else { "in-pytorch" }) {
                (part.summary)
                @if !part.reasons.is_empty() {
                    ul { @for (reason, calls) in &part.reasons { li { (reason) ": " (calls) } } }
                }
            }
        } }
    }
}
