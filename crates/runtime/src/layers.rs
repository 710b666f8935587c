//! How long calls and the layers of an engine take: plain data, whoever measured it.

use std::time::Duration;

/// How long each layer of an engine took, over several calls that were made for this measurement.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct LayerTimes {
    /// Number of calls.
    pub calls: usize,
    /// Mean seconds of a call, layers and what is between them.
    pub seconds: f64,
    /// The layers in the order in which they first ran.
    pub layers: Vec<LayerTime>,
    /// What takes the part of the call that is in no layer.
    pub rest: &'static str,
}

/// The time of one layer.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct LayerTime {
    /// Its name: that of a layer of the network, or the names of those that were fused.
    pub name: String,
    /// Its ONNX operator; empty where the executor does not report one.
    pub kind: String,
    /// Mean seconds of a call.
    pub seconds: f64,
}

impl LayerTimes {
    /// Seconds of all layers in a call.
    pub fn in_layers(&self) -> f64 {
        self.layers.iter().map(|layer| layer.seconds).sum()
    }

    /// Means over the calls, from times (name, operator, seconds) in the order in which layers ran.
    pub(crate) fn of<'a>(
        calls: usize,
        seconds: f64,
        times: impl IntoIterator<Item = (&'a str, &'a str, f64)>,
        rest: &'static str,
    ) -> Self {
        let mut layers: indexmap::IndexMap<(&str, &str), f64> = indexmap::IndexMap::new();
        for (name, kind, seconds) in times {
            *layers.entry((name, kind)).or_default() += seconds;
        }
        let count = calls.max(1) as f64;
        let mean = |((name, kind), seconds): ((&str, &str), f64)| LayerTime {
            name: name.to_owned(),
            kind: kind.to_owned(),
            seconds: seconds / count,
        };
        Self { calls, seconds: seconds / count, layers: layers.into_iter().map(mean).collect(), rest }
    }
}

/// How long one call took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallTime {
    /// From the call to its outputs.
    pub whole: Duration,
    /// How long it kept the calling thread busy: until it was enqueued.
    pub host: Duration,
    /// How long it kept the GPU busy; `None` on the CPU.
    pub device: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_layer_are_means_over_the_calls() {
        let times = [("a", "Conv", 1.0), ("b", "", 2.0), ("a", "Conv", 3.0), ("b", "", 4.0)];
        let found = LayerTimes::of(2, 12.0, times, "");
        let seconds: Vec<_> = found.layers.iter().map(|layer| (layer.name.as_str(), layer.seconds)).collect();
        assert_eq!(seconds, [("a", 2.0), ("b", 3.0)]);
        assert_eq!((found.seconds, found.in_layers()), (6.0, 5.0));
    }
}
