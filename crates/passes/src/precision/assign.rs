//! The walk: a type for every layer, and casts where types meet.

use super::report::{Float32Layer, PrecisionReport, Reason};
use super::round::{self, Rounded};
use super::rules::{self, Rule};
use super::{Half, PrecisionOptions};
use crate::named::Named;
use crate::tuning::accumulation;
use network::{DType, Dim, Error, Layer, Network, Op, TensorId, Weights};
use std::collections::HashMap;
use std::sync::Arc;

type Result<T> = std::result::Result<T, Error>;

/// Share of the range that values seen on samples may fill: other inputs may make larger ones.
const FILLED: f32 = 0.5;

/// A network being narrowed.
struct Assignment<'a> {
    old: &'a Network,
    options: &'a PrecisionOptions,
    keep: Named<'a>,
    new: Network,
    /// What stands for an old tensor, in the type it was made in; none for float32 constants.
    made: Vec<Option<TensorId>>,
    /// What stands for an old tensor in a type it was not made in.
    typed: HashMap<(TensorId, DType), TensorId>,
    rounded: HashMap<TensorId, Rounded>,
    /// What of a tensor's values is lost in half precision.
    delicate: Vec<Option<Lost>>,
    /// The layers that must not add up products in half precision, and how many they add up; by their first output.
    sums: HashMap<TensorId, i64>,
    report: PrecisionReport,
}

/// What half precision loses of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lost {
    /// Values beyond its range. What is computed from them is known to be within it where it was observed.
    Range,
    /// Digits, which results miss however large they are.
    Digits,
}

/// What was decided for a layer.
struct Choice {
    /// Why it stays float32; `None`: it does not.
    kept: Option<Reason>,
    /// What of its results is lost in half precision.
    delicate: Option<Lost>,
}

/// Makes the network of mixed precision.
pub(super) fn run(old: &Network, options: &PrecisionOptions) -> Result<(Network, PrecisionReport)> {
    let mut assignment = Assignment {
        old,
        options,
        keep: Named::new(&options.keep_fp32),
        new: Network::new(),
        made: vec![None; old.tensor_count()],
        typed: HashMap::new(),
        rounded: HashMap::new(),
        delicate: vec![None; old.tensor_count()],
        sums: if options.rounds_sums && options.half == Half::Float16 {
            accumulation::long(old)
        } else {
            HashMap::new()
        },
        report: PrecisionReport::default(),
    };
    assignment.inputs();
    for layer in old.layers() {
        assignment.layer(layer)?;
    }
    for port in old.outputs() {
        let tensor = assignment.in_type(port.tensor, old.tensor(port.tensor).dtype)?;
        assignment.new.add_output(&port.name, tensor);
    }
    let Assignment { new, made, .. } = &mut assignment;
    new.take_values(old, |id| made[id.0 as usize]);
    assignment.report.unmatched = assignment.keep.unmatched();
    Ok((assignment.new, assignment.report))
}

impl Assignment<'_> {
    fn half(&self) -> Half {
        self.options.half
    }

    fn inputs(&mut self) {
        for (name, symbol) in self.old.symbols() {
            self.new.add_symbol(name, *symbol);
        }
        for port in self.old.inputs() {
            let tensor = self.old.tensor(port.tensor);
            let index = port.tensor.0 as usize;
            self.made[index] = Some(self.new.add_input(&port.name, tensor.dtype, tensor.dims.clone()));
            self.delicate[index] = self.seen(&port.name).map(|_| Lost::Range);
        }
    }

    fn layer(&mut self, layer: &Layer) -> Result<()> {
        let is_float = |id: TensorId| self.old.tensor(id).dtype == DType::Float32;
        match &layer.op {
            // Made where it is used, in the type that is used.
            Op::Constant(weights) if weights.dtype == DType::Float32 => Ok(()),
            Op::Cast { to } => self.cast(layer, *to),
            _ if !layer.used().chain(layer.outputs.iter().copied()).any(is_float) => self.copy(layer),
            _ => match rules::rule(self.old, layer) {
                Rule::Any => self.copy(layer),
                Rule::Compare => self.add(layer, DType::Float32),
                rule => {
                    let choice = self.choose(layer, rule);
                    self.settle(layer, choice)
                }
            },
        }
    }

    /// Adds a layer as it was decided, and notes the decision.
    fn settle(&mut self, layer: &Layer, choice: Choice) -> Result<()> {
        let dtype = if choice.kept.is_some() { DType::Float32 } else { self.half().dtype() };
        layer.outputs.iter().for_each(|id| self.delicate[id.0 as usize] = choice.delicate);
        match choice.kept {
            Some(Reason::Sums(_)) if matches!(layer.op, Op::Convolution(_)) => self.add_with(layer, |this, id| {
                if Some(id) == layer.input(2) { this.in_type(id, dtype) } else { this.rounded_operand(id) }
            })?,
            _ => self.add(layer, dtype)?,
        }
        self.note(layer, choice.kept);
        Ok(())
    }

    fn note(&mut self, layer: &Layer, kept: Option<Reason>) {
        let name = self.new.layers().last().map(|made| made.name.clone()).unwrap_or_default();
        match kept {
            Some(reason) => {
                self.report.kept.push(Float32Layer { layer: name, module: layer.origin.module.clone(), reason });
            }
            None => self.report.half.push(layer.name.clone()),
        }
    }

    /// The type of a layer that has float32 operands or results.
    fn choose(&mut self, layer: &Layer, rule: Rule) -> Choice {
        let lost = layer.used().find(|id| self.delicate[id.0 as usize].is_some());
        let seen = self.seen(&layer.name);
        let kept = match (self.asked(layer), lost, seen, rule) {
            (Some(pattern), ..) => Some(Reason::Asked(pattern)),
            (_, Some(id), ..) => Some(Reason::Follows(self.name(id))),
            (_, _, Some(value), _) => Some(Reason::Seen(value)),
            (.., Rule::Keep(reason)) => Some(reason),
            (.., Rule::Follow) if self.options.narrow.contains(&layer.name) => None,
            (.., Rule::Follow) => self.follows(layer).map(Reason::Follows),
            _ => layer.outputs.first().and_then(|y| self.sums.get(y)).map(|count| Reason::Sums(*count)),
        };
        let kept = kept.or_else(|| self.unfit(layer));
        let overflows = matches!(kept, Some(Reason::Overflows(..))) || self.has_overflow(layer, kept.as_ref());
        let made = [
            rules::is_delicate(&layer.op).then_some(Lost::Digits),
            seen.map(|_| Lost::Range),
            self.handed_on(layer, overflows.then_some(Lost::Range)),
        ];
        Choice { kept, delicate: made.into_iter().flatten().max() }
    }

    /// What results lose because operands do, and because of `own`. A layer whose results were seen to be within the
    /// range hands on no values beyond it.
    fn handed_on(&self, layer: &Layer, own: Option<Lost>) -> Option<Lost> {
        let lost = layer.used().filter_map(|id| self.delicate[id.0 as usize]).chain(own).max()?;
        let is_in_range = lost == Lost::Range && self.options.ranges.contains_key(&layer.name);
        (!is_in_range && !rules::is_bounded(&layer.op)).then_some(lost)
    }

    /// The pattern of `keep_fp32` that names a layer, its module, or one around it.
    fn asked(&mut self, layer: &Layer) -> Option<String> {
        self.keep.find(layer).map(str::to_owned)
    }

    fn seen(&self, name: &str) -> Option<f32> {
        let limit = self.half().max() * FILLED;
        self.options.ranges.get(name).copied().filter(|value| value.is_nan() || *value > limit)
    }

    /// The float32 operands that are neither constants nor inputs of the network, which have the type that is wanted.
    fn computed(&self, layer: &Layer) -> Vec<TensorId> {
        let computed = |id: &TensorId| {
            let float = self.old.tensor(*id).dtype == DType::Float32;
            float && self.old.producer(*id).is_some() && self.made[id.0 as usize].is_some()
        };
        layer.used().filter(computed).collect()
    }

    /// The operand that keeps a layer float32 which computes in the type of its operands: where all are float32, or
    /// where one is that is broadcast, such as a mean or a deviation, whose digits the result needs. Where it is a
    /// tensor of full size that meets another, such as in a residual sum, half precision wins.
    fn follows(&self, layer: &Layer) -> Option<String> {
        let operands = self.computed(layer);
        let float =
            |id: &&TensorId| self.made[id.0 as usize].is_some_and(|id| self.new.tensor(id).dtype == DType::Float32);
        let result = layer.outputs.first().map(|id| &self.old.tensor(*id).dims);
        let wide: Vec<_> = operands.iter().filter(float).collect();
        let spread = wide
            .iter()
            .find(|id| matches!(layer.op, Op::ElementWise { .. }) && Some(&self.old.tensor(***id).dims) != result);
        let all = wide.first().filter(|_| wide.len() == operands.len());
        spread.or(all).map(|id| self.name(**id))
    }

    /// The layer or input that a tensor comes from.
    fn name(&self, id: TensorId) -> String {
        let made = self.made[id.0 as usize].and_then(|id| self.new.producer(id));
        let input = || self.old.inputs().iter().find(|port| port.tensor == id).map(|port| port.name.clone());
        made.map(|layer| layer.name.clone()).or_else(input).unwrap_or_default()
    }

    /// Why a layer's constants cannot be rounded.
    fn unfit(&mut self, layer: &Layer) -> Option<Reason> {
        let old = self.old;
        layer.used().find_map(|id| match self.rounded(id)? {
            Rounded::Fits(_) => None,
            Rounded::Vanishes(..) if rules::is_bias(old, layer, id) => None,
            Rounded::Vanishes(_, reason) | Rounded::Unfit(reason) => Some(reason.clone()),
        })
    }

    /// Whether a layer that stays float32 for another reason hands on a constant that half precision cannot hold.
    fn has_overflow(&self, layer: &Layer, kept: Option<&Reason>) -> bool {
        let half = self.half();
        let overflows = |id| self.float_constant(id).is_some_and(|weights| round::overflow(weights, half).is_some());
        kept.is_some() && !rules::is_contraction(&layer.op) && layer.used().any(overflows)
    }

    fn float_constant(&self, id: TensorId) -> Option<&Weights> {
        self.old.constant(id).filter(|weights| weights.dtype == DType::Float32)
    }

    fn rounded(&mut self, id: TensorId) -> Option<&Rounded> {
        if !self.rounded.contains_key(&id) {
            let rounded = round::round(self.float_constant(id)?, self.half());
            self.rounded.insert(id, rounded);
        }
        self.rounded.get(&id)
    }

    /// A cast is a decision of its own where it makes float32, and nothing where the type is there already.
    fn cast(&mut self, layer: &Layer, to: DType) -> Result<()> {
        let (Some(x), [y]) = (layer.input(0), layer.outputs.as_slice()) else { return self.copy(layer) };
        let from = self.old.tensor(x);
        let kept = match (to, from.dtype) {
            (DType::Float32, DType::Float32) => {
                self.made[y.0 as usize] = Some(self.in_type(x, to)?);
                self.delicate[y.0 as usize] = self.delicate[x.0 as usize];
                return Ok(());
            }
            (DType::Float32, _) => self.widens(layer, from),
            _ => {
                let x = self.as_made(x)?;
                let there = self.new.tensor(x).dtype == to;
                let made = if there { x } else { self.new.add_one(Op::Cast { to }, &[x], &layer.origin)? };
                self.made[y.0 as usize] = Some(made);
                return Ok(());
            }
        };
        let dtype = if kept.is_some() { to } else { self.half().dtype() };
        let x = self.as_made(x)?;
        self.made[y.0 as usize] = Some(self.new.add_one(Op::Cast { to: dtype }, &[x], &layer.origin)?);
        self.delicate[y.0 as usize] = matches!(kept, Some(Reason::Integers(_))).then_some(Lost::Digits);
        self.note(layer, kept);
        Ok(())
    }

    /// Why a cast to float32 from another type stays one.
    fn widens(&mut self, layer: &Layer, from: &network::Tensor) -> Option<Reason> {
        let limit = self.half().exact_integers();
        let small = |dim: &Dim| dim.as_static().is_some_and(|n| n.abs() <= limit);
        let is_small = from.value.as_ref().is_some_and(|value| value.iter().all(small));
        match (self.asked(layer), from.dtype) {
            (Some(pattern), _) => Some(Reason::Asked(pattern)),
            (None, dtype) if dtype.is_float() => Some(Reason::Upcast),
            (None, DType::Int32 | DType::Int64) if !is_small => Some(Reason::Integers(limit)),
            (None, DType::Int8 | DType::UInt8 | DType::Float8E4M3) => Some(Reason::Quantized),
            (None, _) => None,
        }
    }

    /// Adds a layer with its float32 operands in a type.
    fn add(&mut self, layer: &Layer, dtype: DType) -> Result<()> {
        let in_type = |this: &mut Self, id: TensorId| match this.old.tensor(id).dtype {
            DType::Float32 => this.in_type(id, dtype),
            _ => this.as_made(id),
        };
        self.add_with(layer, in_type)
    }

    /// A factor of a convolution that is float32 for its sums alone, and computes in TF32. Some kernels of TensorRT 8.6
    /// seem to drop the bits that TF32 has no place for, which makes results smaller; it has place for all of float16.
    /// Weights and inputs of the network are therefore rounded to float16. What was computed is left alone, since
    /// rounding it would take layers.
    fn rounded_operand(&mut self, id: TensorId) -> Result<TensorId> {
        let half = self.half();
        if let Some(Rounded::Fits(weights)) = self.rounded(id) {
            let widened = round::widen(weights, half);
            let origin = self.old.producer(id).map(|layer| layer.origin.clone()).unwrap_or_default();
            return self.new.add_one(Op::Constant(widened), &[], &origin);
        }
        let to = self.old.tensor(id).dtype;
        if to == DType::Float32 && self.old.producer(id).is_none() {
            let rounded = self.in_type(id, half.dtype())?;
            return self.new.add_one(Op::Cast { to }, &[rounded], &Arc::default());
        }
        self.in_type(id, to)
    }

    /// Adds a layer with its operands in whatever type they have.
    fn copy(&mut self, layer: &Layer) -> Result<()> {
        self.add_with(layer, Self::as_made)
    }

    fn add_with(&mut self, layer: &Layer, operand: impl Fn(&mut Self, TensorId) -> Result<TensorId>) -> Result<()> {
        let inputs = layer.inputs.iter().map(|id| id.map(|id| operand(self, id)).transpose());
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        let outputs = self.new.add(layer.op.clone(), &inputs, &layer.origin)?;
        layer.outputs.iter().zip(outputs).for_each(|(old, new)| self.made[old.0 as usize] = Some(new));
        Ok(())
    }

    fn as_made(&mut self, id: TensorId) -> Result<TensorId> {
        match self.made[id.0 as usize] {
            Some(made) => Ok(made),
            None => self.in_type(id, self.old.tensor(id).dtype),
        }
    }

    /// What stands for an old tensor in a type: as it was made, rounded, or through a cast, made once.
    fn in_type(&mut self, id: TensorId, dtype: DType) -> Result<TensorId> {
        if let Some(typed) = self.typed.get(&(id, dtype)) {
            return Ok(*typed);
        }
        let origin = self.old.producer(id).map(|layer| layer.origin.clone()).unwrap_or_default();
        let typed = match (self.made[id.0 as usize], self.float_constant(id)) {
            (Some(made), _) if self.new.tensor(made).dtype == dtype => made,
            (Some(made), _) => self.new.add_one(Op::Cast { to: dtype }, &[made], &origin)?,
            (None, Some(weights)) if dtype == DType::Float32 => {
                let weights = weights.clone();
                self.new.add_one(Op::Constant(weights), &[], &origin)?
            }
            (None, Some(_)) => match self.rounded(id) {
                Some(Rounded::Fits(weights) | Rounded::Vanishes(weights, _)) => {
                    let weights = weights.clone();
                    self.new.add_one(Op::Constant(weights), &[], &origin)?
                }
                _ => return Err(Error::Malformed(format!("tensor {} cannot be rounded to {dtype}", id.0))),
            },
            (None, None) => return Err(Error::Malformed(format!("tensor {} is used before it is made", id.0))),
        };
        self.typed.insert((id, dtype), typed);
        Ok(typed)
    }
}
