//! A plan of the simulated TensorRT: lines of words.
//!
//! ```text
//! input x -1 4        a float32 input; -1 in front is known only at run time
//! output y -1 4       all inputs and outputs have one shape
//! profile 1 2 8       least, likeliest and greatest size in place of -1; one line a profile
//! uncapturable        enqueueing fails while the stream is captured
//! counted             outputs are the numbers above zero, so that their size depends on data
//! plugin Name 1       deserializing fails unless a creator of this name and version is registered
//! contexts 2          no more execution contexts than these can be made
//! ```
//!
//! Output number j is j plus the sum of the inputs, each times its number from 1.

use std::ffi::CString;

#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) inputs: Vec<CString>,
    pub(crate) outputs: Vec<CString>,
    pub(crate) dims: Vec<i64>,
    pub(crate) profiles: Vec<[i64; 3]>,
    pub(crate) uncapturable: bool,
    pub(crate) counted: bool,
    pub(crate) contexts: Option<usize>,
    pub(crate) plugins: Vec<[String; 2]>,
}

impl Plan {
    /// `None` for anything else.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut plan = Self::default();
        for line in std::str::from_utf8(text).ok()?.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let numbers = |words: &[&str]| words.iter().map(|word| word.parse().ok()).collect::<Option<Vec<i64>>>();
            match words.as_slice() {
                [side @ ("input" | "output"), name, dims @ ..] => {
                    let list = if *side == "input" { &mut plan.inputs } else { &mut plan.outputs };
                    list.push(CString::new(*name).ok()?);
                    plan.dims = numbers(dims)?;
                }
                ["profile", sizes @ ..] => plan.profiles.push(numbers(sizes)?.try_into().ok()?),
                ["contexts", count] => plan.contexts = Some(count.parse().ok()?),
                ["plugin", name, version] => plan.plugins.push([name, version].map(|word| (*word).to_owned())),
                ["uncapturable"] => plan.uncapturable = true,
                ["counted"] => plan.counted = true,
                _ => return None,
            }
        }
        if plan.profiles.is_empty() {
            plan.profiles.push([1, 1, 1]);
        }
        (!plan.inputs.is_empty()).then_some(plan)
    }

    /// The shape with a size in place of -1.
    pub(crate) fn dims_of(&self, size: i64) -> Vec<i64> {
        self.dims.iter().map(|&dim| if dim == -1 { size } else { dim }).collect()
    }

    /// Numbers in the largest tensor that a profile accepts.
    pub(crate) fn most_numbers(&self) -> usize {
        let largest = self.profiles.iter().map(|[_, _, most]| *most).max().unwrap_or(1);
        self.dims_of(largest).iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).product()
    }

    /// Whether a profile accepts this shape.
    pub(crate) fn accepts(&self, profile: usize, dims: &[i64]) -> bool {
        let Some([least, _, most]) = self.profiles.get(profile) else { return false };
        let fits = |(&own, size): (&i64, &i64)| own == *size || own == -1 && (least..=most).contains(&size);
        dims.len() == self.dims.len() && self.dims.iter().zip(dims).all(fits)
    }
}
