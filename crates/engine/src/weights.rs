//! Weights in an engine file: one section, each weight at a multiple of 64 bytes, found through the manifest.

use crate::frame::ALIGNMENT;
use crate::{EngineFile, Error, Kind, Result, WeightEntry};
use bytes::Bytes;
use runtime::Weight;

impl EngineFile {
    /// Puts weights into the file, without copying them.
    pub fn insert_weights(&mut self, weights: &[Weight]) {
        let (mut parts, mut entries, mut offset) = (Vec::new(), Vec::new(), 0u64);
        for weight in weights {
            let length = weight.data.len() as u64;
            entries.push(WeightEntry {
                name: weight.name.clone(),
                dtype: weight.dtype,
                dims: weight.dims.clone(),
                offset,
                length,
            });
            parts.push(weight.data.clone());
            let padding = length.next_multiple_of(ALIGNMENT) - length;
            // Less than the alignment.
            parts.push(Bytes::from_static(&[0; ALIGNMENT as usize]).slice(..padding as usize));
            offset += length + padding;
        }
        self.manifest.weights = entries;
        self.insert(Kind::Weights, parts);
    }

    /// The weights of the file, in its own memory. One that does not lie as its type needs is copied.
    ///
    /// # Errors
    /// [`Error::Missing`], or [`Error::Weight`] for an entry that points outside, overlaps the one before or is not at
    /// a multiple of 64 bytes.
    pub fn weights(&self) -> Result<Vec<Weight>> {
        if self.manifest.weights.is_empty() {
            return Ok(Vec::new());
        }
        let all = self.section(Kind::Weights)?;
        let mut free = 0;
        let weight = |entry: &WeightEntry| {
            let start = Some(entry.offset).filter(|start| start.is_multiple_of(ALIGNMENT) && *start >= free);
            let end = entry.offset.checked_add(entry.length).filter(|end| *end <= all.len() as u64);
            let (start, end) = start.zip(end).ok_or_else(|| Error::Weight { name: entry.name.clone() })?;
            free = end;
            // Both fit: the end is at most a length in memory.
            let data = all.slice(start as usize..end as usize);
            let aligned = data.as_ptr().addr().is_multiple_of(entry.dtype.size());
            let data = if aligned { data } else { realigned(&data) };
            Ok(Weight { name: entry.name.clone(), dtype: entry.dtype, dims: entry.dims.clone(), data })
        };
        self.manifest.weights.iter().map(weight).collect()
    }
}

/// A copy that starts at a multiple of eight, the largest element.
fn realigned(data: &[u8]) -> Bytes {
    let mut copy = vec![0u8; data.len() + 8];
    let start = copy.as_ptr().align_offset(8).min(8);
    copy[start..start + data.len()].copy_from_slice(data);
    // Moving the vector does not move its memory.
    Bytes::from(copy).slice(start..start + data.len())
}
