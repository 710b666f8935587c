//! Charts of a report as SVG: bars, a timeline, and memory over the call.

use crate::svg::class;
use crate::tree::{Node, fold};
use crate::{Graph, Memory, Times, bytes_text, time_text};
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Width of a chart in its own units: a share of it is a percentage.
const WIDTH: f64 = 1000.0;
/// A layer that is narrower in the timeline is drawn with those after it.
const NARROWEST: f64 = 1.5;
/// Modules that the chart of their times lists.
const LISTED: usize = 14;

/// Shares of a whole, next to each other: name, text of the amount, amount, class.
fn stacked(shares: &[(String, String, f64, String)]) -> Markup {
    let sum: f64 = shares.iter().map(|(_, _, amount, _)| amount).sum();
    let mut x = 0.0;
    let bars: Vec<_> = shares
        .iter()
        .map(|(name, text, amount, class)| {
            let width = if sum > 0.0 { amount / sum * WIDTH } else { 0.0 };
            x += width;
            (format!("{name}: {text}"), class, x - width, width)
        })
        .collect();
    html! {
        svg class="chart" viewBox="0 0 1000 26" preserveAspectRatio="none" role="img" {
            @for (title, class, x, width) in &bars {
                rect class=(class) x=(format!("{x:.1}")) y="0" width=(format!("{width:.1}")) height="26" {
                    title { (title) }
                }
            }
        }
    }
}

/// The types that occur, with their colours.
pub(super) fn legend<'g>(graphs: impl Iterator<Item = &'g Graph>) -> Markup {
    let types: BTreeSet<&str> = graphs.flat_map(|graph| &graph.layers).map(|layer| layer.precision.as_str()).collect();
    html! {
        p class="legend" { @for name in &types { span { i class=(class(name)) {} (name) } } }
    }
}

/// How many layers and bytes are in each type.
pub(super) fn precision<'g>(graphs: impl Iterator<Item = &'g Graph>) -> Markup {
    let mut by_type: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
    for layer in graphs.flat_map(|graph| &graph.layers) {
        by_type.entry(&layer.precision).or_default()[0] += 1;
        for weight in &layer.weights {
            let sum = &mut by_type.entry(&weight.dtype).or_default()[1];
            *sum = sum.saturating_add(weight.bytes);
        }
        for output in &layer.outputs {
            let sum = &mut by_type.entry(&output.dtype).or_default()[2];
            *sum = sum.saturating_add(output.bytes);
        }
    }
    let column = |index: usize, text: fn(u64) -> String| -> Vec<_> {
        let shares = by_type.iter().map(|(name, amounts)| (name, amounts[index]));
        shares.map(|(name, amount)| ((*name).to_owned(), text(amount), amount as f64, class(name))).collect()
    };
    html! {
        @if !by_type.is_empty() {
            dl class="charts" {
                dt { "layers" } dd { (stacked(&column(0, |count| format!("{count} layers")))) }
                dt { "weights" } dd { (stacked(&column(1, bytes_text))) }
                dt { "activations" } dd { (stacked(&column(2, bytes_text))) }
            }
            div class="scroll" { table {
                thead { tr {
                    th { "type" } th { "layers that compute in it" } th { "weights" } th { "activations, all" }
                } }
                tbody { @for (name, [layers, weights, activations]) in &by_type {
                    tr {
                        td class="legend" { span { i class=(class(name)) {} (name) } }
                        td class="number" { (layers) }
                        td class="number" { (bytes_text(*weights)) }
                        td class="number" { (bytes_text(*activations)) }
                    }
                } }
            } }
        }
    }
}

/// The layers of a call in execution order, as wide as they take time.
pub(super) fn timeline(times: &Times) -> Markup {
    let whole = times.seconds.max(times.in_layers()).max(f64::MIN_POSITIVE);
    let (mut bars, mut x): (Vec<(String, f64, f64)>, f64) = (Vec::new(), 0.0);
    for layer in &times.layers {
        let width = layer.seconds / whole * WIDTH;
        match bars.last_mut() {
            Some((title, _, before)) if *before < NARROWEST => {
                if title.len() < 200 {
                    *title = format!("{title}; {}: {}", layer.name, time_text(layer.seconds));
                }
                *before += width;
            }
            _ => bars.push((format!("{}: {}", layer.name, time_text(layer.seconds)), x, width)),
        }
        x += width;
    }
    html! {
        svg class="chart timeline" viewBox="0 0 1000 34" preserveAspectRatio="none" role="img" {
            rect class="rest" x="0" y="0" width="1000" height="34" {}
            @for (index, (title, x, width)) in bars.iter().enumerate() {
                rect class=(if index % 2 == 0 { "even" } else { "odd" }) x=(format!("{x:.2}")) y="0"
                    width=(format!("{width:.2}")) height="34" { title { (title) } }
            }
        }
        p class="axis" { span { "0" } span { (time_text(whole)) } }
    }
}

/// The modules that take most of the time.
pub(super) fn by_module(times: &Times, graph: &Graph) -> Markup {
    let mut seconds = vec![0.0; graph.layers.len()];
    for (layer, covered) in times.layers.iter().zip(times.covered(graph)) {
        if let Some(first) = covered.first() {
            seconds[*first] += layer.seconds;
        }
    }
    let root = fold(graph);
    let mut rows: Vec<(String, f64)> = modules(&root)
        .into_iter()
        .map(|(name, node)| (name, seconds[node.layers.clone()].iter().sum()))
        .filter(|(_, seconds)| *seconds > 0.0)
        .collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    rows.truncate(LISTED);
    let most = rows.first().map_or(0.0, |(_, seconds)| *seconds).max(f64::MIN_POSITIVE);
    html! {
        @if rows.len() > 1 {
            h3 { "By module" }
            dl class="bars" { @for (name, seconds) in &rows {
                dt { (name) }
                dd { i style=(format!("width:{:.1}%", seconds / most * 70.0)) {} (time_text(*seconds)) }
            } }
        }
    }
}

/// The outermost modules, of which there are several: their names and nodes.
fn modules(root: &Node) -> Vec<(String, &Node)> {
    let mut level: Vec<(String, &Node)> = vec![(String::new(), root)];
    loop {
        let mut next = Vec::new();
        for (name, node) in &level {
            match &node.fold {
                Some(fold) => next.extend(fold.parts.iter().map(|part| (joined(name, &part.label), part))),
                None => next.push((name.clone(), *node)),
            }
        }
        let is_last = next.iter().all(|(_, node)| node.fold.is_none());
        if is_last || next.len() >= LISTED {
            return if next.len() > 4 * LISTED && level.len() > 1 { level } else { next };
        }
        level = next;
    }
}

fn joined(outer: &str, inner: &str) -> String {
    match (outer, inner) {
        ("", _) => {
            if inner.is_empty() {
                "(model)".to_owned()
            } else {
                inner.to_owned()
            }
        }
        (_, "") => outer.to_owned(),
        _ => format!("{outer}.{inner}"),
    }
}

/// What takes memory, and the activations that are stored while each kernel runs.
pub(super) fn memory(memory: &Memory, graph: Option<&Graph>) -> Markup {
    let share =
        |name: &str, bytes: u64, class: &str| (name.to_owned(), bytes_text(bytes), bytes as f64, class.to_owned());
    let shares = [
        share("weights", memory.weights, "m-weights"),
        share("activations", memory.activations, "m-activations"),
        share("scratch space", memory.scratch, "m-scratch"),
        share("inputs and outputs", memory.interface, "m-interface"),
    ];
    html! {
        (stacked(&shares))
        p class="legend" {
            @for (name, text, _, class) in &shares { span { i class=(class) {} (name) " " b { (text) } } }
            span { "peak " b { (bytes_text(memory.peak())) } }
        }
        @if memory.stored.len() > 1 { (stored(memory, graph)) }
    }
}

fn stored(memory: &Memory, graph: Option<&Graph>) -> Markup {
    let most = memory.stored.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0);
    let peak = memory.stored.iter().find(|(_, bytes)| *bytes == most).map(|(layer, _)| *layer);
    let peak = peak.and_then(|layer| graph?.layers.get(layer)).map_or("", |layer| layer.name.as_str());
    let step = WIDTH / memory.stored.len() as f64;
    let height = |bytes: u64| 90.0 - 88.0 * (bytes as f64 / (most as f64).max(1.0));
    let mut path = "M0 90".to_owned();
    for (index, (_, bytes)) in memory.stored.iter().enumerate() {
        let (x, y) = (index as f64 * step, height(*bytes));
        // Writing to a string does not fail.
        let _ = write!(path, "L{x:.1} {y:.1}H{:.1}", x + step);
    }
    path.push_str("L1000 90Z");
    html! {
        h3 { "Activations stored over a call" }
        svg class="chart tall" viewBox="0 0 1000 90" preserveAspectRatio="none" role="img" {
            path class="m-activations" d=(path) {}
        }
        p class="axis" { span { "first kernel" } span { "last kernel" } }
        p { "Most is stored while " code { (peak) } " runs: " b { (bytes_text(most)) } "." }
    }
}

/// A bar over the decades from 1e-8 to 1.
pub(super) fn decades(error: f64) -> Markup {
    let share = if error > 0.0 { ((error.log10() + 8.0) / 8.0).clamp(0.02, 1.0) } else { 0.0 };
    html! { span class="decades" { i style=(format!("width:{:.0}%", share * 100.0)) {} } }
}
