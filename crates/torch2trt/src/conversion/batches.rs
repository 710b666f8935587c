//! Samples in the batch of a network of fixed sizes: items of another batch are joined and split along axis 0.

use super::Samples;
use crate::Result;
use network::Network;
use runtime::Tensor;
use std::collections::VecDeque;

/// The samples to calibrate with, as calls in the batch of a network.
pub(super) struct Calls<'s> {
    samples: &'s mut dyn Samples,
    batches: Batches,
    ready: VecDeque<Vec<Tensor>>,
}

impl<'s> Calls<'s> {
    pub(super) fn new(network: &Network, samples: &'s mut dyn Samples) -> Self {
        Self { samples, batches: Batches::of(network), ready: VecDeque::new() }
    }

    /// The inputs of the next call; `None` after the last.
    ///
    /// # Errors
    /// Those of the samples.
    pub(super) fn next(&mut self) -> Result<Option<Vec<Tensor>>> {
        while self.ready.is_empty() {
            let Some(item) = self.samples.next_calibration()? else { return Ok(None) };
            self.ready.extend(self.batches.calls(item)?);
        }
        Ok(self.ready.pop_front())
    }

    /// The samples themselves.
    pub(super) fn samples(&mut self) -> &mut dyn Samples {
        self.samples
    }
}

/// Joins and splits samples. What is left over in the end is left out.
struct Batches {
    /// Shapes of the network's inputs; `None` where a size is dynamic, so that any batch is a call.
    wanted: Option<Vec<Vec<i64>>>,
    waiting: Vec<Tensor>,
}

impl Batches {
    fn of(network: &Network) -> Self {
        let shape = |port: &network::Port| {
            let dims = network.tensor(port.tensor).dims.iter();
            dims.map(network::Dim::as_static).collect::<Option<Vec<i64>>>()
        };
        Self { wanted: network.inputs().iter().map(shape).collect(), waiting: Vec::new() }
    }

    /// The calls that an item completes.
    fn calls(&mut self, item: Vec<Tensor>) -> Result<Vec<Vec<Tensor>>> {
        let Some(batch) = self.wanted.as_deref().and_then(|wanted| batch_of(&item, wanted)) else {
            return Ok(vec![item]);
        };
        let joined = if self.waiting.is_empty() { item } else { joined(&self.waiting, &item)? };
        let rows = joined.first().map_or(0, |tensor| tensor.dims()[0]);
        let whole = rows / batch;
        let part = |start: i64, end: i64| joined.iter().map(|tensor| rows_of(tensor, start, end)).collect();
        self.waiting = if whole * batch == rows { Vec::new() } else { part(whole * batch, rows)? };
        (0..whole).map(|k| part(k * batch, (k + 1) * batch)).collect()
    }
}

/// The batch of a network where an item can be joined and split into it.
fn batch_of(item: &[Tensor], wanted: &[Vec<i64>]) -> Option<i64> {
    let mut fit = item.len() == wanted.len();
    for (own, wanted) in item.iter().zip(wanted) {
        fit &= !own.dims().is_empty() && !wanted.is_empty() && own.dims()[1..] == wanted[1..];
    }
    let (own, batch) = (*item.first()?.dims().first()?, *wanted.first()?.first()?);
    let same = |first: Option<&i64>, size| first == Some(size);
    fit &= item.iter().all(|tensor| same(tensor.dims().first(), &own));
    fit &= wanted.iter().all(|shape| same(shape.first(), &batch));
    // The only axis of a vector is not taken for a batch.
    let joins = own > 0 && (wanted.iter().all(|shape| shape.len() > 1) || batch % own == 0);
    (fit && batch > 0 && own != batch && joins).then_some(batch)
}

fn joined(first: &[Tensor], second: &[Tensor]) -> Result<Vec<Tensor>> {
    let join = |(first, second): (&Tensor, &Tensor)| {
        let bytes = [first.bytes().unwrap_or_default(), second.bytes().unwrap_or_default()].concat();
        let mut dims = first.dims().to_vec();
        dims[0] += second.dims()[0];
        Ok(Tensor::from_bytes(first.dtype(), &dims, &bytes)?)
    };
    first.iter().zip(second).map(join).collect()
}

fn rows_of(tensor: &Tensor, start: i64, end: i64) -> Result<Tensor> {
    let mut dims = tensor.dims().to_vec();
    let bytes = tensor.bytes().unwrap_or_default();
    let row = bytes.len() / usize::try_from(dims[0]).unwrap_or(1).max(1);
    let at = |index: i64| usize::try_from(index).unwrap_or(0) * row;
    dims[0] = end - start;
    Ok(Tensor::from_bytes(tensor.dtype(), &dims, &bytes[at(start)..at(end)])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::DataType;

    fn item(start: i64, rows: i64) -> Vec<Tensor> {
        let values: Vec<u8> = (start * 2..(start + rows) * 2).flat_map(|v| (v as f32).to_ne_bytes()).collect();
        vec![Tensor::from_bytes(DataType::Float32, &[rows, 2], &values).unwrap()]
    }

    fn batches(wanted: Option<Vec<Vec<i64>>>) -> Batches {
        Batches { wanted, waiting: Vec::new() }
    }

    #[test]
    fn joins_and_splits_items_into_the_batch() {
        for (sizes, batch) in [(vec![1, 1, 1, 1], 2), (vec![3, 3, 3, 1], 2), (vec![5, 5], 2), (vec![1, 7, 2], 4)] {
            let mut made = batches(Some(vec![vec![batch, 2]]));
            let (mut start, mut seen) = (0, Vec::new());
            for rows in sizes {
                for call in made.calls(item(start, rows)).unwrap() {
                    assert_eq!(call[0].dims(), [batch, 2]);
                    seen.extend_from_slice(call[0].bytes().unwrap());
                }
                start += rows;
            }
            let whole = start / batch * batch;
            assert_eq!(seen, item(0, whole)[0].bytes().unwrap());
        }
    }

    #[test]
    fn leaves_items_of_dynamic_or_other_sizes_as_they_are() {
        for wanted in [None, Some(vec![vec![2, 3]]), Some(vec![vec![3, 2], vec![1]]), Some(vec![vec![3, 2]])] {
            let made = batches(wanted).calls(item(0, 3)).unwrap();
            assert_eq!(made.iter().map(|call| call[0].dims().to_vec()).collect::<Vec<_>>(), [[3, 2]]);
        }
    }
}
