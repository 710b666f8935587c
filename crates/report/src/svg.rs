//! A network as SVG: ranks stacked from top to bottom, folds as boxes around their parts, coloured by precision.

use crate::graph::Graph;
use crate::layout::Place;
use crate::tree::{Fold, Node, fold};
use maud::{Markup, PreEscaped, html};

/// Layers and folds that a picture has at most, unless another number is asked for.
pub const UNFOLDED: usize = 300;

const CHARACTER: f64 = 6.4;
const NODE: f64 = 34.0;
const PLAIN: f64 = 20.0;
const HEAD: f64 = 22.0;
const MARGIN: f64 = 10.0;
const BETWEEN: f64 = 14.0;
const BETWEEN_RANKS: f64 = 26.0;
const PASS: f64 = 8.0;

/// A picture of a network.
#[derive(Clone, Debug)]
pub struct Drawing {
    size: (f64, f64),
    shapes: Vec<Shape>,
}

#[derive(Clone, Debug)]
enum Shape {
    Box { at: (f64, f64), size: (f64, f64), class: String, title: String },
    Text { at: (f64, f64), class: &'static str, text: String },
    Line { from: (f64, f64), to: (f64, f64) },
}

impl Drawing {
    /// The picture of a network. Folds are open, outer ones first, as long as it has at most so many layers and folds.
    pub fn new(graph: &Graph, most: usize) -> Self {
        let root = fold(graph);
        let open = opened(&root, most);
        let tile = Tile::new(graph, &root, &open);
        let (width, height) = tile.size;
        let mut drawing = Self { size: (width + 2.0 * MARGIN, height + 2.0 * MARGIN), shapes: Vec::new() };
        drawing.add(&tile, (MARGIN, MARGIN));
        drawing
    }

    fn add(&mut self, tile: &Tile, at: (f64, f64)) {
        let title = tile.title.clone();
        if !tile.class.is_empty() {
            self.shapes.push(Shape::Box { at, size: tile.size, class: tile.class.clone(), title });
        }
        for (index, line) in tile.lines.iter().enumerate() {
            let class = if index == 0 { "t2t-name" } else { "t2t-type" };
            let at = (at.0 + tile.size.0 / 2.0, at.1 + 14.0 + 13.0 * index as f64);
            self.shapes.push(Shape::Text { at, class, text: line.clone() });
        }
        for (from, to) in &tile.edges {
            self.shapes.push(Shape::Line { from: (at.0 + from.0, at.1 + from.1), to: (at.0 + to.0, at.1 + to.1) });
        }
        for (offset, part) in &tile.parts {
            self.add(part, (at.0 + offset.0, at.1 + offset.1));
        }
    }

    /// The SVG document, which follows the reader's colour scheme.
    pub fn to_svg(&self) -> String {
        let (width, height) = self.size;
        let shapes = self.shapes.iter().map(Shape::to_markup);
        html! {
            svg xmlns="http://www.w3.org/2000/svg" class="t2t" viewBox=(format!("0 0 {width:.0} {height:.0}"))
                width=(format!("{width:.0}")) height=(format!("{height:.0}")) role="img" {
                style { (PreEscaped(STYLE)) }
                @for shape in shapes { (shape) }
            }
        }
        .into_string()
    }

    #[cfg(test)]
    pub(crate) fn boxes(&self) -> Vec<((f64, f64), (f64, f64))> {
        let boxes = self.shapes.iter().filter_map(|shape| match shape {
            Shape::Box { at, size, .. } => Some((*at, *size)),
            _ => None,
        });
        boxes.collect()
    }
}

const STYLE: &str = include_str!("svg.css");

impl Shape {
    fn to_markup(&self) -> Markup {
        let number = |value: f64| format!("{value:.1}");
        match self {
            Self::Box { at, size, class, title } => html! {
                rect class=(class) x=(number(at.0)) y=(number(at.1)) width=(number(size.0)) height=(number(size.1))
                    rx="4" { title { (title) } }
            },
            Self::Text { at, class, text } => html! {
                text class=(class) x=(number(at.0)) y=(number(at.1)) { (text) }
            },
            Self::Line { from, to } => {
                let middle = f64::midpoint(from.1, to.1);
                let path = format!(
                    "M{:.1} {:.1}C{:.1} {middle:.1} {:.1} {middle:.1} {:.1} {:.1}",
                    from.0, from.1, from.0, to.0, to.0, to.1
                );
                html! { path class="t2t-edge" d=(path) {} }
            }
        }
    }
}

/// The first layers of the folds that are open: outer ones first, while the picture has at most so many nodes.
fn opened(root: &Node, most: usize) -> Vec<*const Node> {
    let (mut open, mut drawn) = (vec![std::ptr::from_ref(root)], count(root));
    let mut level: Vec<&Node> = parts(root).iter().collect();
    while !level.is_empty() {
        let mut next = Vec::new();
        for node in level.into_iter().filter(|node| node.fold.is_some()) {
            let more = drawn + count(node);
            if more <= most {
                drawn = more;
                open.push(std::ptr::from_ref(node));
                next.extend(parts(node));
            }
        }
        level = next;
    }
    open
}

/// Boxes of an open fold: its parts, and its ends.
fn count(node: &Node) -> usize {
    parts(node).len() + 2
}

fn parts(node: &Node) -> &[Node] {
    node.fold.as_ref().map_or(&[], |fold| &fold.parts)
}

/// A node with its size, and what is in it at places relative to its corner.
struct Tile {
    size: (f64, f64),
    class: String,
    title: String,
    lines: Vec<String>,
    parts: Vec<((f64, f64), Tile)>,
    edges: Vec<((f64, f64), (f64, f64))>,
}

impl Tile {
    fn new(graph: &Graph, node: &Node, open: &[*const Node]) -> Self {
        match &node.fold {
            Some(fold) if open.contains(&std::ptr::from_ref(node)) => Self::opened(graph, node, fold, open),
            Some(_) => {
                let lines = vec![node.label.clone(), format!("{} layers", node.layers.len())];
                Self::plain(lines, "t2t-fold".to_owned(), node.label.clone())
            }
            None => Self::layer(graph, node),
        }
    }

    fn layer(graph: &Graph, node: &Node) -> Self {
        let layer = &graph.layers[node.layers.start];
        let name = if node.label.is_empty() { layer.kind.clone() } else { format!("{} {}", node.label, layer.kind) };
        let shape = layer.outputs.first().map_or_else(String::new, |value| format!("{}{}", value.dtype, value.shape));
        let title = [layer.name.as_str(), &layer.operator, &layer.position].join(" ");
        Self::plain(vec![name, shape], class(&layer.precision), title)
    }

    /// A box of lines of text.
    fn plain(lines: Vec<String>, class: String, title: String) -> Self {
        let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
        let height = if lines.len() > 1 { NODE } else { PLAIN };
        let size = (longest as f64 * CHARACTER + 2.0 * MARGIN, height);
        Self { size, class, title, lines, parts: Vec::new(), edges: Vec::new() }
    }

    /// The names of what comes or leaves: inputs and outputs of the network, a dot elsewhere.
    fn end(graph: &Graph, is_root: bool, is_entry: bool) -> Self {
        if !is_root {
            return Self { size: (PASS, PASS), ..Self::plain(Vec::new(), "t2t-end".to_owned(), String::new()) };
        }
        let names: Vec<&str> = if is_entry {
            graph.inputs.iter().map(|value| value.name.as_str()).collect()
        } else {
            graph.outputs.iter().map(|(name, _)| name.as_str()).collect()
        };
        let text = if names.len() > 4 { format!("{}, … {} in all", names[0], names.len()) } else { names.join(", ") };
        Self::plain(vec![text.clone()], "t2t-end".to_owned(), text)
    }

    fn opened(graph: &Graph, node: &Node, fold: &Fold, open: &[*const Node]) -> Self {
        let is_root = open.first() == Some(&std::ptr::from_ref(node));
        let tile = |place: &Place| match place {
            Place::Pass => None,
            Place::Node(index) => Some(match fold.parts.get(*index) {
                Some(part) => Self::new(graph, part, open),
                None => Self::end(graph, is_root, Some(*index) == fold.entry),
            }),
        };
        let rows: Vec<Vec<Option<Self>>> = fold.ranks.rows.iter().map(|row| row.iter().map(tile).collect()).collect();
        let width = |tile: &Option<Self>| tile.as_ref().map_or(PASS, |tile| tile.size.0);
        let row_width =
            |row: &Vec<Option<Self>>| row.iter().map(width).sum::<f64>() + BETWEEN * row.len().saturating_sub(1) as f64;
        let inside = rows.iter().map(row_width).fold(0.0, f64::max);
        let lines = if is_root { Vec::new() } else { vec![node.label.clone()] };
        let head = lines.iter().map(|line| line.chars().count() as f64 * CHARACTER).fold(0.0, f64::max);
        let (border, top) = if is_root { (0.0, 0.0) } else { (MARGIN, HEAD) };
        let whole = inside.max(head) + 2.0 * border;
        let (mut y, mut parts, mut ends) = (top, Vec::new(), Vec::new());
        for row in rows {
            let height = row.iter().flatten().map(|tile| tile.size.1).fold(PASS, f64::max);
            let (mut x, mut own) = ((whole - row_width(&row)) / 2.0, Vec::new());
            for tile in row {
                let (wide, high) = tile.as_ref().map_or((PASS, height), |tile| tile.size);
                let (middle, from) = (x + wide / 2.0, y + (height - high) / 2.0);
                own.push(((middle, from), (middle, from + high), tile.is_none()));
                parts.extend(tile.map(|tile| ((x, from), tile)));
                x += wide + BETWEEN;
            }
            ends.push(own);
            y += height + BETWEEN_RANKS;
        }
        let mut edges: Vec<_> =
            fold.ranks.edges.iter().map(|(row, from, to)| (ends[*row][*from].1, ends[row + 1][*to].0)).collect();
        edges.extend(ends.iter().flatten().filter(|(.., is_pass)| *is_pass).map(|(from, to, _)| (*from, *to)));
        let height = y - BETWEEN_RANKS.min(y) + border;
        let class = if is_root { String::new() } else { "t2t-open".to_owned() };
        Self { size: (whole, height), class, title: node.label.clone(), lines, parts, edges }
    }
}

/// The class of a type: only names of types that are known become classes.
pub(crate) fn class(precision: &str) -> String {
    const KNOWN: [&str; 10] =
        ["float32", "float16", "bfloat16", "int64", "int32", "int8", "uint8", "bool", "float8_e4m3fn", "int4"];
    let known = if KNOWN.contains(&precision) { precision } else { "other" };
    format!("t2t-{known}")
}
