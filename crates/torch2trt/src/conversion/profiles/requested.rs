//! The profiles that a call asks for, before its model is captured: no symbols are known, only shapes.

use super::{bad_profile, in_order};
use crate::Result;
use runtime::SizeRange;

/// The sizes of one tensor.
pub type Shape = Vec<i64>;

/// One profile: a range for each axis of each input tensor.
pub type AxisRanges = Vec<Vec<SizeRange>>;

/// Sample inputs, and the shapes that a call asks for.
#[derive(Clone, Debug, Default)]
pub struct Requested {
    /// The names of the input tensors.
    pub names: Vec<String>,
    /// The shapes of the sample inputs.
    pub own: Vec<Shape>,
    /// The smallest shapes of the inputs, once for each profile or once for all. `None`: those of `data_set`, otherwise
    /// the sample's.
    pub min: Option<Vec<Vec<Shape>>>,
    /// The best shapes. `None`: those of a sample of `data_set`, otherwise the sample's, as far as the range allows.
    pub opt: Option<Vec<Vec<Shape>>>,
    /// The largest shapes, otherwise as for `min`.
    pub max: Option<Vec<Vec<Shape>>>,
    /// The shapes of the inputs in each sample of a data set.
    pub data_set: Vec<Vec<Shape>>,
    /// The largest size of the batch, which is axis 0 of the first input that has axes, and of every input with the
    /// same size there: a mask that is broadcast over the batch keeps its size of 1 where the sample batch is larger.
    pub max_batch_size: Option<i64>,
}

/// The shapes of one profile.
#[derive(Clone)]
struct Ends {
    min: Vec<Shape>,
    opt: Vec<Shape>,
    max: Vec<Shape>,
}

impl Requested {
    /// The profiles; none where every size is that of the sample inputs.
    ///
    /// # Errors
    /// E0307 for numbers of profiles or ranges that contradict each other, samples of several ranks, and a
    /// largest batch without a batch.
    pub fn profiles(&self) -> Result<Vec<AxisRanges>> {
        let mut profiles = self.given()?;
        if let Some(largest) = self.max_batch_size {
            self.set_batch(&mut profiles, largest)?;
        }
        profiles.into_iter().map(|ends| self.ranges(ends)).collect()
    }

    /// The profiles of the shapes and of the data set.
    fn given(&self) -> Result<Vec<Ends>> {
        let observed = observed(&self.data_set)?;
        let given = [("min_shapes", &self.min), ("opt_shapes", &self.opt), ("max_shapes", &self.max)];
        if observed.is_none() && given.iter().all(|(_, shapes)| shapes.is_none()) {
            return Ok(Vec::new());
        }
        let counts = given.map(|(argument, shapes)| (argument, shapes.as_ref().map_or(1, Vec::len)));
        let count = counts.iter().map(|(_, count)| *count).max().unwrap_or(1);
        if let Some((argument, few)) = counts.iter().find(|(_, few)| ![1, count].contains(few)) {
            let message = format!("{argument} has {few} profiles, another argument has {count}");
            return Err(bad_profile(
                message,
                "give min, opt and max shapes for every profile, or once for all of them",
            ));
        }
        Ok((0..count).map(|number| self.ends(number, observed.as_ref())).collect())
    }

    /// The shapes of the profile of this number.
    fn ends(&self, number: usize, observed: Option<&Ends>) -> Ends {
        let of = |shapes: &Option<Vec<Vec<Shape>>>| {
            shapes.as_ref().and_then(|profiles| profiles.get(number).or(profiles.first()).cloned())
        };
        let min = of(&self.min).or_else(|| observed.map(|ends| ends.min.clone())).unwrap_or_else(|| self.own.clone());
        let max = of(&self.max).or_else(|| observed.map(|ends| ends.max.clone())).unwrap_or_else(|| self.own.clone());
        let opt = of(&self.opt).or_else(|| observed.map(|ends| ends.opt.clone()));
        Ends { opt: opt.unwrap_or_else(|| within(&self.own, &min, &max)), min, max }
    }

    /// Lets the batch have any size from 1 to `largest` in each profile.
    fn set_batch(&self, profiles: &mut Vec<Ends>, largest: i64) -> Result<()> {
        let batch = self.own.iter().find_map(|shape| shape.first().copied());
        let Some(batch) = batch.filter(|_| largest >= 1) else {
            let why = if largest >= 1 { "no input has an axis".to_owned() } else { format!("it is {largest}") };
            let message = format!("max_batch_size cannot be met: {why}");
            return Err(bad_profile(message, "give the largest batch, 1 or more, or leave it out"));
        };
        if profiles.is_empty() {
            profiles.push(Ends { min: self.own.clone(), opt: self.own.clone(), max: self.own.clone() });
        }
        for ends in profiles {
            for (k, own) in self.own.iter().enumerate().filter(|(_, own)| own.first() == Some(&batch)) {
                let first_of = |shapes: &[Shape]| shapes.get(k).and_then(|shape| shape.first().copied());
                let asked = first_of(&ends.max).filter(|size| self.max.is_some() && ![own[0], largest].contains(size));
                if let Some(asked) = asked {
                    let name = self.names.get(k).map_or("", String::as_str);
                    let message = format!(
                        "max_batch_size is {largest}, and max_shapes has {asked} on the first axis of `{name}`"
                    );
                    return Err(bad_profile(message, "give one of the two"));
                }
                let best = first_of(&ends.opt).unwrap_or(batch).clamp(1, largest);
                for (shapes, size) in [(&mut ends.min, 1), (&mut ends.opt, best), (&mut ends.max, largest)] {
                    if let Some(first) = shapes.get_mut(k).and_then(|shape| shape.first_mut()) {
                        *first = size;
                    }
                }
            }
        }
        Ok(())
    }

    /// The ranges of a profile, checked.
    fn ranges(&self, Ends { min, opt, max }: Ends) -> Result<AxisRanges> {
        let inputs = self.names.iter().zip(min).zip(opt).zip(max);
        inputs.map(|(((name, min), opt), max)| input_ranges(name, &min, &opt, &max)).collect()
    }
}

/// The ranges of the axes of one input.
fn input_ranges(name: &str, min: &[i64], opt: &[i64], max: &[i64]) -> Result<Vec<SizeRange>> {
    if min.len() != opt.len() || opt.len() != max.len() {
        let [min, opt, max] = [min, opt, max].map(tuple);
        let message = format!("input `{name}` has min shape {min}, opt shape {opt} and max shape {max}");
        return Err(bad_profile(message, "give one size for each axis"));
    }
    let axes = min.iter().zip(opt).zip(max).enumerate();
    axes.map(|(axis, ((min, opt), max))| {
        let range = SizeRange { min: *min, opt: *opt, max: *max };
        let help = "min must not exceed opt, nor opt max; what is left out is the sample's size";
        in_order(range, || format!("input `{name}`, axis {axis}"), help)
    })
    .collect()
}

/// The smallest and largest sizes over samples, and the shapes of the sample with the median number of elements: those
/// of several samples need not fit together. `None` without samples.
fn observed(samples: &[Vec<Shape>]) -> Result<Option<Ends>> {
    let Some(first) = samples.first() else { return Ok(None) };
    let (mut min, mut max) = (first.clone(), first.clone());
    for (index, (low, high)) in min.iter_mut().zip(&mut max).enumerate() {
        let shapes = || samples.iter().filter_map(|sample| sample.get(index));
        let mut ranks: Vec<usize> = shapes().map(Vec::len).collect();
        ranks.sort_unstable();
        ranks.dedup();
        if ranks.len() > 1 {
            let message = format!("tensor {index} of the samples has {ranks:?} dimensions");
            return Err(bad_profile(message, "an engine's input has one rank: convert once for each"));
        }
        for shape in shapes() {
            low.iter_mut().zip(shape).for_each(|(low, size)| *low = (*low).min(*size));
            high.iter_mut().zip(shape).for_each(|(high, size)| *high = (*high).max(*size));
        }
    }
    let elements = |shape: &Shape| shape.iter().fold(1i64, |product, size| product.saturating_mul(*size));
    let mut by_size: Vec<&Vec<Shape>> = samples.iter().collect();
    by_size.sort_by_key(|sample| sample.iter().fold(0i64, |sum, shape| sum.saturating_add(elements(shape))));
    Ok(Some(Ends { min, opt: by_size[samples.len() / 2].clone(), max }))
}

/// The shapes, with each size moved into its range; unchanged for a range of another rank, which is reported later.
fn within(shapes: &[Shape], min: &[Shape], max: &[Shape]) -> Vec<Shape> {
    let input = |((shape, min), max): ((&Shape, &Shape), &Shape)| {
        if min.len() != shape.len() || max.len() != shape.len() {
            return shape.clone();
        }
        // Not `clamp`, which panics for a range that is not in order.
        shape.iter().zip(min).zip(max).map(|((size, min), max)| (*size).max(*min).min(*max)).collect()
    };
    shapes.iter().zip(min).zip(max).map(input).collect()
}

/// A shape as Python writes it: `(8, 4)`.
fn tuple(shape: &[i64]) -> String {
    match shape {
        [size] => format!("({size},)"),
        _ => format!("({})", shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two inputs with one batch, and a mask that is broadcast over it.
    fn request() -> Requested {
        Requested {
            names: ["x", "y", "mask"].map(str::to_owned).to_vec(),
            own: vec![vec![2, 4], vec![2], vec![1, 4]],
            ..Requested::default()
        }
    }

    fn of(shapes: &[&[i64]]) -> Option<Vec<Vec<Shape>>> {
        Some(vec![shapes.iter().map(|shape| shape.to_vec()).collect()])
    }

    fn texts(request: &Requested) -> Vec<String> {
        let axis = |range: &SizeRange| format!("{}:{}:{}", range.min, range.opt, range.max);
        let input = |axes: &Vec<SizeRange>| axes.iter().map(axis).collect::<Vec<_>>().join(" ");
        let profile = |inputs: &AxisRanges| inputs.iter().map(input).collect::<Vec<_>>().join(", ");
        request.profiles().unwrap().iter().map(profile).collect()
    }

    fn problem(request: &Requested) -> String {
        let error = request.profiles().unwrap_err();
        assert_eq!(error.code(), crate::Code::BadProfile);
        error.message().to_owned()
    }

    #[test]
    fn sizes_that_nobody_asks_for_are_fixed() {
        assert!(texts(&request()).is_empty());
    }

    #[test]
    fn left_out_shapes_are_the_samples() {
        let max = of(&[&[8, 4], &[8], &[1, 4]]);
        assert_eq!(texts(&Requested { max: max.clone(), ..request() }), ["2:2:8 4:4:4, 2:2:8, 1:1:1 4:4:4"]);
        let min = of(&[&[3, 4], &[3], &[1, 4]]);
        assert_eq!(texts(&Requested { min, max, ..request() }), ["3:3:8 4:4:4, 3:3:8, 1:1:1 4:4:4"]);
    }

    #[test]
    fn one_shape_serves_every_profile() {
        let [small, large] = [4, 8].map(|n| vec![vec![n, 4], vec![n], vec![1, 4]]);
        let both = Requested { max: Some(vec![small.clone(), large.clone()]), ..request() };
        assert_eq!(texts(&both), ["2:2:4 4:4:4, 2:2:4, 1:1:1 4:4:4", "2:2:8 4:4:4, 2:2:8, 1:1:1 4:4:4"]);
        let three = Requested { min: Some(vec![small.clone(); 3]), ..both };
        assert_eq!(problem(&three), "max_shapes has 2 profiles, another argument has 3");
    }

    #[test]
    fn a_data_set_gives_the_ranges_that_are_left_out() {
        let rows = [3, 5, 9].map(|n| vec![vec![n, 4], vec![n], vec![1, 4]]);
        let observed = Requested { data_set: rows.to_vec(), ..request() };
        assert_eq!(texts(&observed), ["3:5:9 4:4:4, 3:5:9, 1:1:1 4:4:4"]);
        let max = of(&[&[12, 4], &[12], &[1, 4]]);
        assert_eq!(texts(&Requested { max, ..observed.clone() }), ["3:5:12 4:4:4, 3:5:12, 1:1:1 4:4:4"]);
        let ranks = Requested { data_set: vec![vec![vec![2, 4]], vec![vec![2]]], ..request() };
        assert_eq!(problem(&ranks), "tensor 0 of the samples has [1, 2] dimensions");
    }

    #[test]
    fn the_batch_is_that_of_every_input_with_its_size() {
        let batch = Requested { max_batch_size: Some(6), ..request() };
        assert_eq!(texts(&batch), ["1:2:6 4:4:4, 1:2:6, 1:1:1 4:4:4"]);
        let one = Requested { max_batch_size: Some(1), ..request() };
        assert_eq!(texts(&one), ["1:1:1 4:4:4, 1:1:1, 1:1:1 4:4:4"]);
        let other = Requested { max: of(&[&[8, 4], &[8], &[1, 4]]), ..batch };
        assert_eq!(problem(&other), "max_batch_size is 6, and max_shapes has 8 on the first axis of `x`");
        assert!(problem(&Requested { max_batch_size: Some(0), ..request() }).ends_with("it is 0"));
        let scalar = Requested { own: vec![vec![]; 3], max_batch_size: Some(2), ..request() };
        assert!(problem(&scalar).ends_with("no input has an axis"));
    }

    #[test]
    fn contradictions_are_reported_with_the_axis() {
        let max = of(&[&[1, 4], &[1], &[1, 4]]);
        let text = problem(&Requested { max, ..request() });
        assert_eq!(text, "input `x`, axis 0: the range is 2 to 1 with 1 as the best size");
        let max = of(&[&[8, 4], &[8, 4], &[1, 4]]);
        let text = problem(&Requested { max, ..request() });
        assert_eq!(text, "input `y` has min shape (2,), opt shape (2,) and max shape (8, 4)");
    }
}
