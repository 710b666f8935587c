//! Which layers of the network TensorRT's words are about.
//!
//! While building, TensorRT speaks of its own, fused layers by the names of ours: `conv1.Convolution + relu`, or
//! `{ForeignNode[a…b]}` for everything from a to b.

use crate::error::{Error, Place};
use network::{Layer, Network};
use nvinfer as trt;

/// More layers than this are no help to anyone.
const MOST: usize = 4;

/// An error of a build, with the layers that its words name.
pub(crate) fn explain(error: trt::Error, version: trt::Version, network: &Network) -> Error {
    let words = error
        .diagnostics()
        .map(|diagnostics| diagnostics.messages.iter().map(|m| m.text.as_str()).collect::<Vec<_>>().join("\n"));
    let places = words.map_or_else(Vec::new, |words| {
        let named = named(&words, network.layers());
        named.into_iter().map(|layer| Place::layer(network, layer)).collect()
    });
    Error::from_trt(error, version, places)
}

/// The layers whose names stand in a text, in the order in which they stand there.
fn named<'a>(words: &str, layers: &'a [Layer]) -> Vec<&'a Layer> {
    let mut found: Vec<(usize, &Layer)> =
        layers.iter().filter_map(|layer| Some((whole(words, &layer.name)?, layer))).collect();
    found.sort_by_key(|(at, _)| *at);
    found.dedup_by_key(|(_, layer)| &layer.name);
    found.into_iter().take(MOST).map(|(_, layer)| layer).collect()
}

/// Where a name stands as a whole, not as part of a longer one (`a.Cast` in `a.Cast_2`).
fn whole(words: &str, name: &str) -> Option<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    words.match_indices(name).map(|(at, _)| at).find(|at| {
        let before = words[..*at].chars().next_back();
        let after = words[at + name.len()..].chars();
        // Two dots are TensorRT's "from … to", one joins a module and its member.
        let joined = before == Some('.') && !words[..*at].ends_with("..");
        let longer = after.clone().next().is_some_and(part)
            || (after.clone().next() == Some('.') && after.clone().nth(1).is_some_and(part));
        !(longer || joined || before.is_some_and(part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whole() {
        let words = "Could not find any implementation for node {ForeignNode[a.Cast_2...b.c.Convolution]}.";
        assert_eq!(whole(words, "a.Cast"), None, "part of a longer name");
        assert_eq!(whole(words, "c.Convolution"), None, "the end of a longer name");
        assert!(whole(words, "a.Cast_2").is_some());
        assert!(whole(words, "b.c.Convolution").is_some());
        assert!(whole("conv1.Convolution: bias weights", "conv1.Convolution").is_some());
        assert!(whole("at conv1.Convolution.", "conv1.Convolution").is_some(), "the end of a sentence");
        assert_eq!(whole("at conv1.Convolution.x", "conv1.Convolution"), None);
    }
}
