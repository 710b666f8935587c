//! The JSON that the script of the page draws graphs and tables from.

use crate::layout::Place;
use crate::tree::{Fold, Node, fold};
use crate::{EngineReport, Graph, Report, Value, bytes_text, time_text};
use serde_json::{Value as Json, json};
use std::collections::HashMap;

/// The engines as JSON text that cannot end its element.
pub(super) fn json(report: &Report) -> String {
    let engines: Vec<Json> = report.engines.iter().map(engine).collect();
    json!({ "engines": engines }).to_string().replace('<', "\\u003c")
}

fn engine(engine: &EngineReport) -> Json {
    let graph = engine.graph.clone().unwrap_or_default();
    let (seconds, timed) = timed(engine, &graph);
    let values = graph.values();
    let layers = graph.layers.iter().enumerate().map(|(index, layer)| {
        let weights = layer.weights.iter().map(|weight| match weight.bytes {
            0 => format!("{}{}", weight.dtype, weight.shape),
            bytes => format!("{}{} {}", weight.dtype, weight.shape, bytes_text(bytes)),
        });
        json!([
            layer.name,
            layer.kind,
            layer.precision,
            layer.module,
            layer.operator,
            layer.position,
            layer.inputs.iter().map(|value| text(values[*value])).collect::<Vec<_>>(),
            layer.outputs.iter().map(text).collect::<Vec<_>>(),
            weights.collect::<Vec<_>>(),
            layer.scales,
            layer.kept,
            seconds.get(&index),
        ])
    });
    let layers: Vec<Json> = layers.collect();
    let root = fold(&graph);
    let names = |values: &mut dyn Iterator<Item = &str>| values.map(str::to_owned).collect::<Vec<_>>();
    json!({
        "name": engine.name,
        "layers": layers,
        "tree": node(&root),
        "inputs": names(&mut graph.inputs.iter().map(|value| value.name.as_str())),
        "outputs": names(&mut graph.outputs.iter().map(|(name, _)| name.as_str())),
        "times": timed,
        "total": engine.times.as_ref().map(|times| times.seconds),
    })
}

fn text(value: &Value) -> String {
    format!("{}{}", value.dtype, value.shape)
}

/// Seconds of the layers of the network, and the timed layers: name, operator, seconds, and layers that it stands for.
/// The time of a fused layer counts for the first of those that it stands for.
fn timed(engine: &EngineReport, graph: &Graph) -> (HashMap<usize, f64>, Json) {
    let Some(times) = &engine.times else { return (HashMap::new(), Json::Null) };
    let (mut seconds, mut rows) = (HashMap::new(), Vec::new());
    for (layer, covered) in times.layers.iter().zip(times.covered(graph)) {
        if let Some(first) = covered.first() {
            *seconds.entry(*first).or_insert(0.0) += layer.seconds;
        }
        rows.push(json!([layer.name, layer.kind, layer.seconds, time_text(layer.seconds), covered]));
    }
    (seconds, Json::Array(rows))
}

/// A node: label, first layer, layer after the last, and of a fold its parts, ranks and edges.
fn node(node: &Node) -> Json {
    let Some(fold) = &node.fold else { return json!([node.label, node.layers.start]) };
    let parts: Vec<Json> = fold.parts.iter().map(self::node).collect();
    let rows: Vec<Vec<i64>> =
        fold.ranks.rows.iter().map(|row| row.iter().map(|place| number(*place, fold)).collect()).collect();
    json!([node.label, node.layers.start, node.layers.end, parts, rows, fold.ranks.edges])
}

/// A place: the index of a part, -1 for what comes from outside, -2 for what leaves, -3 for an edge on its way.
fn number(place: Place, fold: &Fold) -> i64 {
    match place {
        Place::Pass => -3,
        Place::Node(index) if Some(index) == fold.entry => -1,
        Place::Node(index) if Some(index) == fold.exit => -2,
        Place::Node(index) => i64::try_from(index).unwrap_or(-3),
    }
}
