//! Shape profiles of a call, computed by the facade from its sample inputs and the shapes that it asks for.

use crate::error::OrRaise;
use pyo3::prelude::*;
use runtime::SizeRange;
use torch2trt::{AxisRanges, Requested, Shape};

/// The shapes of a call: the attributes of an object of Python, as [`Requested`] has them.
#[derive(FromPyObject)]
pub(crate) struct Shapes {
    names: Vec<String>,
    own: Vec<Shape>,
    min: Option<Vec<Vec<Shape>>>,
    opt: Option<Vec<Vec<Shape>>>,
    max: Option<Vec<Vec<Shape>>>,
    data_set: Vec<Vec<Shape>>,
    max_batch_size: Option<i64>,
}

/// The smallest, best and largest shapes of the inputs in each profile.
#[pyfunction]
pub(crate) fn shape_profiles(py: Python<'_>, shapes: Shapes) -> PyResult<Vec<[Vec<Shape>; 3]>> {
    let Shapes { names, own, min, opt, max, data_set, max_batch_size } = shapes;
    let requested = Requested { names, own, min, opt, max, data_set, max_batch_size };
    let profiles = requested.profiles().or_raise(py)?;
    let shapes = |profile: &AxisRanges, size: fn(&SizeRange) -> i64| {
        profile.iter().map(|axes| axes.iter().map(size).collect()).collect()
    };
    let ends = |profile| [shapes(profile, |r| r.min), shapes(profile, |r| r.opt), shapes(profile, |r| r.max)];
    Ok(profiles.iter().map(ends).collect())
}
