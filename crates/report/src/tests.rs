//! Tests over the whole crate: a network with hostile names, folds, layouts without overlaps, and a large network.

use crate::tree::{Node, fold};
use crate::{Drawing, EngineReport, Graph, Layer, LayerTime, Report, Scales, Times, UNFOLDED, Value};

fn value(dtype: &str) -> Value {
    Value { name: String::new(), dtype: dtype.into(), shape: "[1,8]".into(), bytes: 32 }
}

/// A network of layers in these modules, each of which reads the one before it and one of eight before that.
fn network<S: AsRef<str>>(modules: &[S]) -> Graph {
    let layer = |(index, module): (usize, &S)| Layer {
        name: format!("{}.Layer_{index}", module.as_ref()),
        kind: "Layer".into(),
        precision: if index % 3 == 0 { "float32" } else { "float16" }.into(),
        module: module.as_ref().into(),
        position: format!("net.py:{index}"),
        inputs: if index >= 8 && index % 4 == 0 { vec![index, index - 7] } else { vec![index] },
        outputs: vec![value("float16")],
        ..Layer::default()
    };
    let layers: Vec<Layer> = modules.iter().enumerate().map(layer).collect();
    let input = Value { name: "x".into(), ..value("float32") };
    Graph { inputs: vec![input], outputs: vec![("y".into(), Some(layers.len()))], layers, memory: None }
}

fn report(graph: Graph) -> Report {
    let engines = vec![EngineReport { graph: Some(graph), ..EngineReport::default() }];
    Report { title: "net".into(), engines, ..Report::default() }
}

fn labels(node: &Node) -> Vec<&str> {
    node.fold.iter().flat_map(|fold| &fold.parts).map(|part| part.label.as_str()).collect()
}

#[test]
fn layers_fold_by_module_and_by_call() {
    let graph = network(&["a.conv", "a.relu", "a.conv", "a.relu", "b.c.d", "b.c.e", "", "a.relu"]);
    let root = fold(&graph);
    assert_eq!(labels(&root), ["a", "b.c", "", "a.relu"]);
    let Some(parts) = root.fold.as_ref().map(|fold| &fold.parts) else { panic!("no fold") };
    assert_eq!(labels(&parts[0]), ["conv", "relu", "conv (2)", "relu (2)"]);
    assert_eq!((parts[1].layers.clone(), labels(&parts[1])), (4..6, vec!["d", "e"]));
}

#[test]
fn every_layer_is_in_the_tree_once_and_no_fold_is_large() {
    fn visit(node: &Node, seen: &mut Vec<usize>) {
        match &node.fold {
            None => seen.push(node.layers.start),
            Some(fold) => {
                assert!(fold.parts.len() <= 60, "{}", fold.parts.len());
                fold.parts.iter().for_each(|part| visit(part, seen));
            }
        }
    }
    let modules: Vec<String> =
        (0..5000).map(|index| if index % 5 == 0 { String::new() } else { format!("m{}.x", index / 7) }).collect();
    let mut seen = Vec::new();
    visit(&fold(&network(&modules)), &mut seen);
    assert_eq!(seen, (0..5000).collect::<Vec<_>>());
}

#[test]
fn boxes_of_a_picture_overlap_only_where_one_is_in_the_other() {
    let modules: Vec<String> = (0..120).map(|index| format!("block{}.part{}", index / 30, index / 6 % 5)).collect();
    let boxes = Drawing::new(&network(&modules), UNFOLDED).boxes();
    assert!(boxes.len() > 120);
    let inside = |a: &((f64, f64), (f64, f64)), b: &((f64, f64), (f64, f64))| {
        a.0.0 >= b.0.0 && a.0.1 >= b.0.1 && a.0.0 + a.1.0 <= b.0.0 + b.1.0 && a.0.1 + a.1.1 <= b.0.1 + b.1.1
    };
    for (index, a) in boxes.iter().enumerate() {
        for b in &boxes[index + 1..] {
            let apart =
                a.0.0 + a.1.0 <= b.0.0 || b.0.0 + b.1.0 <= a.0.0 || a.0.1 + a.1.1 <= b.0.1 || b.0.1 + b.1.1 <= a.0.1;
            assert!(apart || inside(a, b) || inside(b, a), "{a:?} {b:?}");
        }
    }
}

#[test]
fn edges_lead_down_between_neighbouring_ranks() {
    let root = fold(&network(&[""; 40]));
    let Some(fold) = &root.fold else { panic!("no fold") };
    for (rank, from, to) in &fold.ranks.edges {
        assert!(*from < fold.ranks.rows[*rank].len() && *to < fold.ranks.rows[rank + 1].len());
    }
    // The ends of the fold, 40 layers, and edges over several ranks.
    assert!(fold.ranks.rows.iter().map(Vec::len).sum::<usize>() > 42);
}

#[test]
fn names_of_a_model_never_become_markup() {
    let hostile = "<script>alert(1)</script>\"'&--><!--";
    let mut graph = network(&[hostile, hostile]);
    graph.inputs[0].name = hostile.into();
    graph.outputs[0].0 = hostile.into();
    for layer in &mut graph.layers {
        (layer.name, layer.kind, layer.position) = (hostile.into(), hostile.into(), hostile.into());
        (layer.operator, layer.precision, layer.kept) = (hostile.into(), hostile.into(), Some(hostile.into()));
        layer.outputs[0] = Value { dtype: hostile.into(), shape: hostile.into(), ..Value::default() };
    }
    let svg = Drawing::new(&graph, UNFOLDED).to_svg();
    let mut report = report(graph);
    let layers = vec![LayerTime { name: hostile.into(), kind: hostile.into(), seconds: 1e-3 }];
    report.engines[0].times = Some(Times { calls: 1, seconds: 2e-3, layers, rest: hostile.into() });
    (report.title, report.engines[0].name) = (hostile.into(), hostile.into());
    report.facts = vec![(hostile.into(), hostile.into())];
    (report.build, report.options, report.missing) = (report.facts.clone(), report.facts.clone(), vec![hostile.into()]);
    let html = report.to_html();
    assert!(!svg.contains("<script") && !svg.contains("<!--"));
    assert!(!html.contains("<script>alert") && !html.contains("<!--"));
    assert_eq!(html.matches("</script>").count(), 2, "the data and the script");
}

#[test]
fn the_page_loads_nothing_and_has_each_section() {
    let mut graph = network(&["a", "a", "b"]);
    graph.layers[1].scales = Some(Scales { count: 1, least: 2.0, most: 2.0 });
    let html = report(graph).to_html();
    for absent in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!html.replace("http://www.w3.org", "").contains(absent), "{absent}");
    }
    for id in ["engine", "accuracy", "network", "time", "precision", "memory", "ranges", "build"] {
        assert!(html.contains(&format!("<section id=\"{id}\"")), "{id}");
    }
    assert!(html.contains("No times were measured") && html.contains("No comparison"));
    assert!(html.contains(r#""scales""#) || html.contains(r#"{"count":1,"least":2.0,"most":2.0}"#));
}

#[test]
fn a_record_with_numbers_that_refer_to_nothing_is_none() {
    let graph = network(&["a", "b"]);
    let text = |graph: &Graph| serde_json::to_vec(graph).unwrap_or_default();
    assert_eq!(Graph::from_json(&text(&graph)), Some(graph.clone()));
    let mut forward = graph.clone();
    forward.layers[0].inputs = vec![1];
    let mut beyond = graph.clone();
    beyond.outputs[0].1 = Some(3);
    assert_eq!([&forward, &beyond].map(|graph| Graph::from_json(&text(graph))), [None, None]);
    assert_eq!(Graph::from_json(b"[]"), None);
}

#[test]
fn large_networks_are_folded_in_a_picture() {
    let modules: Vec<String> = (0..2000).map(|index| format!("layers.{}.{}", index / 40, index % 40 / 8)).collect();
    let boxes = Drawing::new(&network(&modules), UNFOLDED).boxes();
    assert!((50..=UNFOLDED).contains(&boxes.len()), "{}", boxes.len());
}

/// Prints how long a page of 2,000 layers takes to write.
#[test]
fn two_thousand_layers() {
    let modules: Vec<String> = (0..2000).map(|index| format!("layers.{}.{}", index / 40, index % 40 / 8)).collect();
    for (name, graph) in [("in modules", network(&modules)), ("in none", network(&vec![""; 2000]))] {
        let start = std::time::Instant::now();
        let html = report(graph).to_html();
        eprintln!("2,000 layers {name}: {:?}, {} bytes", start.elapsed(), html.len());
        assert!(html.contains("2000 layers"));
    }
}
