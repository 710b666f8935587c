//! Layers that came after a version, written with the layers it has.

use super::{Feature, Target};
use crate::Error;
use crate::shuffle::Shuffle;
use network::{
    ActivationType, DType, Dim, Dims, ElementWiseOperation as E, GatherMode, Layer, Op, Rewrite, SampleMode, TensorId,
    UnaryOperation as U, Weights,
};
use std::collections::HashSet;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI};

pub(super) type Made = Result<TensorId, network::Error>;

/// A layer of the old network, and who it is for.
pub(super) struct Site<'a> {
    pub layer: &'a Layer,
    pub target: Target,
    /// The tensors of the old network whose values depend on those of the inputs.
    pub data: &'a HashSet<TensorId>,
}

/// A Cumulative layer.
#[derive(Clone, Copy)]
struct RunningSum {
    axis: usize,
    exclusive: bool,
    reverse: bool,
}

/// A Normalization layer of groups of channels.
#[derive(Clone, Copy)]
struct Groups<'a> {
    axes: &'a [usize],
    epsilon: f32,
    count: i64,
}

impl Site<'_> {
    /// Puts what the target takes in the layer's place; `false` where the layer can stay.
    pub fn apply(&self, state: &mut Rewrite<'_>) -> Result<bool, Error> {
        let made = match self.in_older_layers(state)? {
            Some(made) => Some(vec![made]),
            None => self.in_accepted_form(state)?,
        };
        if let Some(outputs) = &made {
            state.replace(self.layer, outputs);
        }
        Ok(made.is_some())
    }

    /// The layer's output, made by older layers; `None` where the target has the layer.
    fn in_older_layers(&self, state: &mut Rewrite<'_>) -> Result<Option<TensorId>, Error> {
        let (Some(x), [output]) = (self.layer.input(0), self.layer.outputs.as_slice()) else { return Ok(None) };
        let x = state.get(x)?;
        let to = state.old.tensor(*output).dims.clone();
        let lacks = |feature| !self.target.has(feature);
        Ok(Some(match &self.layer.op {
            Op::Activation { kind: ActivationType::GeluErf, .. } if lacks(Feature::Gelu) => self.gelu_erf(state, x)?,
            Op::Activation { kind: ActivationType::GeluTanh, .. } if lacks(Feature::Gelu) => {
                self.gelu_tanh(state, x)?
            }
            Op::Cumulative { axis, exclusive, reverse, .. } if lacks(Feature::Cumulative) => {
                self.cumulative(state, x, RunningSum { axis: *axis, exclusive: *exclusive, reverse: *reverse })?
            }
            Op::ElementWise { op: E::FloorDiv } if lacks(Feature::ExactIntegerDivision) && self.divides_data(state) => {
                self.floor_div(state, x)?
            }
            Op::Normalization { axes, epsilon, groups } if *groups > 1 && lacks(Feature::GroupNormalization) => {
                self.group_normalization(state, x, Groups { axes, epsilon: *epsilon, count: *groups })?
            }
            Op::Squeeze { axes } if lacks(Feature::Squeeze) => {
                let kept: Vec<usize> = (0..state.tensor(x).rank()).filter(|k| !axes.contains(k)).collect();
                self.reshape(state, x, &to, &kept)?
            }
            Op::Unary { op: U::Isnan } if lacks(Feature::IsNan) => {
                // Only NaN differs from itself.
                let equal = self.add(state, Op::ElementWise { op: E::Equal }, &[x, x])?;
                self.add(state, Op::Unary { op: U::Not }, &[equal])?
            }
            Op::Unsqueeze { axes } if lacks(Feature::Squeeze) => {
                let rank = state.tensor(x).rank();
                let mut old = 0..rank;
                // Past the input's axes stands a 1.
                let from = (0..to.len()).map(|k| if axes.contains(&k) { rank } else { old.next().unwrap_or(rank) });
                self.reshape(state, x, &to, &from.collect::<Vec<_>>())?
            }
            _ => return Ok(None),
        }))
    }

    /// Whether integers are divided that follow from the inputs' values. Sizes and positions are small numbers.
    fn divides_data(&self, state: &Rewrite<'_>) -> bool {
        let integer = |id| matches!(state.old.tensor(id).dtype, DType::Int32 | DType::Int64);
        self.layer.input(0).is_some_and(|id| integer(id) && self.data.contains(&id))
    }

    /// The quotient, and the quotient of what it leaves: that is small, and exact in float32 for divisors below 2^24.
    fn floor_div(&self, state: &mut Rewrite<'_>, x: TensorId) -> Made {
        let y = match self.layer.input(1) {
            Some(y) => state.get(y)?,
            None => x,
        };
        let quotient = self.add(state, Op::ElementWise { op: E::FloorDiv }, &[x, y])?;
        let taken = self.add(state, Op::ElementWise { op: E::Prod }, &[quotient, y])?;
        let rest = self.add(state, Op::ElementWise { op: E::Sub }, &[x, taken])?;
        let more = self.add(state, Op::ElementWise { op: E::FloorDiv }, &[rest, y])?;
        self.add(state, Op::ElementWise { op: E::Sum }, &[quotient, more])
    }

    pub fn add(&self, state: &mut Rewrite<'_>, op: Op, inputs: &[TensorId]) -> Made {
        state.add(op, inputs, &self.layer.origin)
    }

    pub fn constant(&self, state: &mut Rewrite<'_>, weights: Weights) -> Made {
        self.add(state, Op::Constant(weights), &[])
    }

    /// `x op value`.
    fn with(&self, state: &mut Rewrite<'_>, x: TensorId, op: E, value: f64) -> Made {
        let tensor = state.tensor(x);
        let scalar = Weights::filled(tensor.dtype, &vec![1; tensor.rank()], value);
        let scalar = self.constant(state, scalar)?;
        self.add(state, Op::ElementWise { op }, &[x, scalar])
    }

    /// `x / 2 * (1 + y)`.
    fn half_of(&self, state: &mut Rewrite<'_>, x: TensorId, y: TensorId) -> Made {
        let (half, more) = (self.with(state, x, E::Prod, 0.5)?, self.with(state, y, E::Sum, 1.0)?);
        self.add(state, Op::ElementWise { op: E::Prod }, &[half, more])
    }

    fn gelu_erf(&self, state: &mut Rewrite<'_>, x: TensorId) -> Made {
        let y = self.with(state, x, E::Prod, FRAC_1_SQRT_2)?;
        let y = self.add(state, Op::Unary { op: U::Erf }, &[y])?;
        self.half_of(state, x, y)
    }

    /// `x/2 * (1 + tanh(sqrt(2/pi) * x * (1 + 0.044715 x²)))`: an x² beyond float16 still ends at ±1.
    fn gelu_tanh(&self, state: &mut Rewrite<'_>, x: TensorId) -> Made {
        let y = self.add(state, Op::ElementWise { op: E::Prod }, &[x, x])?;
        let y = self.with(state, y, E::Prod, 0.044715)?;
        let y = self.with(state, y, E::Sum, 1.0)?;
        let y = self.add(state, Op::ElementWise { op: E::Prod }, &[x, y])?;
        let y = self.with(state, y, E::Prod, FRAC_2_PI.sqrt())?;
        let y = self.add(state, Op::Activation { kind: ActivationType::Tanh, alpha: 0.0, beta: 0.0 }, &[y])?;
        self.half_of(state, x, y)
    }

    /// A reshape to `to`; where attributes cannot express it, to sizes picked at run time: axis `from[k]` of x, or 1
    /// where that is past x's axes.
    fn reshape(&self, state: &mut Rewrite<'_>, x: TensorId, to: &[Dim], from: &[usize]) -> Made {
        if let Some(shuffle) = Shuffle::reshape(&state.tensor(x).dims, to) {
            return self.add(state, shuffle.op(), &[x]);
        }
        let shape = self.add(state, Op::Shape, &[x])?;
        let one = self.constant(state, Weights::int64(&[1], &[1]))?;
        let sizes = self.add(state, Op::Concatenation { axis: 0 }, &[shape, one])?;
        let indices: Vec<i64> = from.iter().map(|k| *k as i64).collect();
        let indices = self.constant(state, Weights::int64(&[indices.len() as i64], &indices))?;
        let gather = Op::Gather { mode: GatherMode::Default, axis: 0, elementwise_dims: 0 };
        let sizes = self.add(state, gather, &[sizes, indices])?;
        self.add(state, Shuffle::default().op(), &[x, sizes])
    }

    /// A running sum in log2(n) steps: each adds the array moved by 1, 2, 4 … Exact for integers, and more
    /// accurate for floats than adding one by one.
    fn cumulative(
        &self,
        state: &mut Rewrite<'_>,
        x: TensorId,
        RunningSum { axis, exclusive, reverse }: RunningSum,
    ) -> Result<TensorId, Error> {
        let longest = self.longest(state, &state.tensor(x).dims[axis])?;
        let direction = if reverse { 1 } else { -1 };
        let mut sum = if exclusive { self.moved(state, x, axis, direction)? } else { x };
        let mut step = 1;
        while step < longest {
            let moved = self.moved(state, sum, axis, direction * step)?;
            sum = self.add(state, Op::ElementWise { op: E::Sum }, &[sum, moved])?;
            step *= 2;
        }
        Ok(sum)
    }

    /// The largest a size can be.
    fn longest(&self, state: &Rewrite<'_>, dim: &Dim) -> Result<i64, Error> {
        let symbols = state.old.symbols();
        let range = dim.range(&|name| {
            let (min, max) = symbols.get(name).map_or((0, i64::MAX), |s| (s.min, s.max));
            network::Range { min, max }
        });
        // TensorRT counts in 32 bits.
        if range.max <= i64::from(i32::MAX) {
            return Ok(range.max);
        }
        Err(Error::Unsupported {
            target: self.target,
            layer: self.layer.op.name(),
            name: self.layer.name.clone(),
            origin: self.layer.origin.clone(),
            nodes: self.layer.origin.node.into_iter().collect(),
            problem: format!("it has no cumulative sum, and one over an axis of {dim} elements has no largest size"),
            help: "give the axis a largest size (max_shapes), or use TensorRT 10.8 or newer",
        })
    }

    /// The array with its elements moved along an axis, zeros where there were none.
    fn moved(&self, state: &mut Rewrite<'_>, x: TensorId, axis: usize, by: i64) -> Made {
        let dims: Dims = state.tensor(x).dims.clone();
        let mut start = vec![0; dims.len()];
        start[axis] = by;
        let fixed: Option<Vec<i64>> = dims.iter().map(Dim::as_static).collect();
        let stride = vec![1; dims.len()];
        let slice = |size| Op::Slice { start, size, stride, mode: SampleMode::Fill };
        match fixed {
            Some(size) => self.add(state, slice(size), &[x]),
            None => {
                let shape = self.add(state, Op::Shape, &[x])?;
                let made =
                    state.new.add(slice(vec![0; dims.len()]), &[Some(x), None, Some(shape)], &self.layer.origin)?;
                made.first().copied().ok_or_else(|| network::Error::Malformed("a slice has no output".into()))
            }
        }
    }

    /// Groups become an axis, each is normalized whole, and scale and bias follow.
    fn group_normalization(
        &self,
        state: &mut Rewrite<'_>,
        x: TensorId,
        Groups { axes, epsilon, count: groups }: Groups<'_>,
    ) -> Result<TensorId, Error> {
        let (dims, dtype) = (state.tensor(x).dims.clone(), state.tensor(x).dtype);
        let spatial: Vec<usize> = (2..dims.len()).collect();
        let sizes = Dim::product(&dims[1..]).floor_div(&Dim::Static(groups));
        let grouped = vec![dims[0].clone(), Dim::Static(groups), sizes];
        let Some(split) = Shuffle::reshape(&dims, &grouped).filter(|_| axes == spatial) else {
            return Err(self.refused("its normalization has no groups over these axes", "use TensorRT 10.15 or newer"));
        };
        let y = self.add(state, split.op(), &[x])?;
        let (one, zero) = (self.unit(state, dtype, 1.0)?, self.unit(state, dtype, 0.0)?);
        let y = self.add(state, Op::Normalization { axes: vec![2], epsilon, groups: 1 }, &[y, one, zero])?;
        let mut y = match Shuffle::reshape(&grouped, &dims) {
            Some(join) => self.add(state, join.op(), &[y])?,
            None => {
                let shape = self.add(state, Op::Shape, &[x])?;
                self.add(state, Shuffle::default().op(), &[y, shape])?
            }
        };
        for (input, op) in [(1, E::Prod), (2, E::Sum)] {
            let Some(factor) = self.layer.input(input) else { continue };
            let factor = state.get(factor)?;
            y = self.add(state, Op::ElementWise { op }, &[y, factor])?;
        }
        Ok(y)
    }

    fn unit(&self, state: &mut Rewrite<'_>, dtype: DType, value: f64) -> Made {
        self.constant(state, Weights::filled(dtype, &[1, 1, 1], value))
    }

    pub fn refused(&self, problem: &str, help: &'static str) -> Error {
        Error::Unsupported {
            target: self.target,
            layer: self.layer.op.name(),
            name: self.layer.name.clone(),
            origin: self.layer.origin.clone(),
            nodes: self.layer.origin.node.into_iter().collect(),
            problem: problem.to_owned(),
            help,
        }
    }
}
