//! Layers that compute element by element, and fills.

use super::{FLOATS, NUMBERS, Table, reshape, slice};
use DType::{BFloat16, Bool, Float16, Float32, Int32, Int64};
use network::*;

/// Adds the cases of this file.
pub fn add(t: &mut Table) {
    pointwise(t);
    scales(t);
    fills(t);
}

fn pointwise(t: &mut Table) {
    for kind in ActivationType::ALL {
        for dtype in FLOATS {
            t.one(
                format!("activation {kind:?}"),
                dtype,
                &[3, 4],
                Op::Activation { kind: *kind, alpha: 0.3, beta: 1.7 },
            );
        }
    }
    for dtype in [Int32, Int64] {
        let relu = Op::Activation { kind: ActivationType::Relu, alpha: 0.0, beta: 0.0 };
        t.one("activation Relu", dtype, &[3, 4], relu);
    }
    for op in UnaryOperation::ALL {
        let dtypes: &[DType] = match op {
            UnaryOperation::Not => &[Bool],
            UnaryOperation::Abs | UnaryOperation::Neg | UnaryOperation::Sign => &NUMBERS,
            _ => &FLOATS,
        };
        for dtype in dtypes {
            t.one(format!("unary {op:?}"), *dtype, &[3, 4], Op::Unary { op: *op });
            t.one(format!("unary {op:?} vector"), *dtype, &[], Op::Unary { op: *op });
        }
    }
    for op in ElementWiseOperation::ALL {
        use ElementWiseOperation as E;
        let dtypes: &[DType] = match op {
            E::And | E::Or | E::Xor => &[Bool],
            E::Pow => &FLOATS,
            E::Equal => &[Float32, Float16, BFloat16, Int32, Int64, Bool],
            _ => &NUMBERS,
        };
        for dtype in dtypes.iter().copied() {
            let op = *op;
            t.add(format!("elementwise {op:?} {dtype}"), move |n| {
                let (a, b) = (n.input(dtype, &[3, 4]), n.random(dtype, &[1, 3, 1]));
                n.op(Op::ElementWise { op }, &[a, b]);
            });
            t.add(format!("elementwise {op:?} {dtype} of inputs"), move |n| {
                let (a, b) = (n.input(dtype, &[3, 1]), n.input(dtype, &[1, 4]));
                n.op(Op::ElementWise { op }, &[a, b]);
            });
        }
    }
    for dtype in [Float32, Float16, BFloat16, Int32, Int64, Bool] {
        t.add(format!("select {dtype}"), move |n| {
            let (c, a, b) = (n.input(Bool, &[3, 4]), n.input(dtype, &[3, 1]), n.random(dtype, &[1, 1, 4]));
            n.op(Op::Select, &[c, a, b]);
        });
        for to in [Float32, Float16, BFloat16, Int32, Int64, Bool] {
            t.one(format!("cast to {to}"), dtype, &[3, 4], Op::Cast { to });
        }
        t.one("identity", dtype, &[3, 4], Op::Identity);
    }
    for to in [Float32, Float16] {
        t.one("cast from image", DType::UInt8, &[3, 4], Op::Cast { to });
        t.add(format!("cast {to} to image"), move |n| {
            let x = n.input(to, &[3, 4]);
            let y = n.op(Op::Activation { kind: ActivationType::Relu, alpha: 0.0, beta: 0.0 }, &[x]);
            n.op(Op::Cast { to: DType::UInt8 }, &[y]);
        });
    }
    for to in [Int32, Int64, Bool] {
        t.one(format!("cast {to} from image"), DType::UInt8, &[3, 4], Op::Cast { to });
    }
    for dtype in FLOATS {
        t.add(format!("parametric relu {dtype}"), move |n| {
            let (x, slope) = (n.input(dtype, &[3, 4, 5]), n.random(dtype, &[1, 3, 1, 1]));
            n.op(Op::ParametricRelu, &[x, slope]);
        });
    }
}

fn scales(t: &mut Table) {
    for dtype in FLOATS {
        for (mode, axis, dims) in
            [(ScaleMode::Uniform, 1, &[][..]), (ScaleMode::Channel, 1, &[3]), (ScaleMode::Channel, 0, &[2])]
        {
            for sizes in [&[3][..], &[3, 4], &[3, 4, 5], &[3, 4, 5, 6]] {
                if axis == 0 && sizes.len() != 3 {
                    continue;
                }
                t.add(format!("scale {mode:?} {dtype} axis {axis} {sizes:?}"), move |n| {
                    let x = if axis == 0 {
                        n.input_of(dtype, vec![Dim::Static(2), n.batch.clone(), Dim::Static(4), Dim::Static(5)])
                    } else {
                        n.input(dtype, sizes)
                    };
                    let (shift, scale) = (n.random(dtype, dims), n.random(dtype, dims));
                    n.op(Op::Scale { mode, channel_axis: axis }, &[x, shift, scale]);
                });
            }
        }
    }
    t.add("scale with a power only", |n| {
        let (x, power) = (n.input(Float32, &[3, 4, 5]), n.constant(Weights::float32(&[], &[2.0])));
        n.all(Op::Scale { mode: ScaleMode::Uniform, channel_axis: 1 }, &[Some(x), None, None, Some(power)]);
    });
    for batch in [1, 2] {
        t.add(format!("scale elementwise, batch of {batch}"), move |n| {
            let dims = [batch, 3, 4, 5];
            let (x, shift) = (n.input_of(Float32, dims.map(Dim::Static).to_vec()), n.random(Float32, &dims));
            n.op(Op::Scale { mode: ScaleMode::Elementwise, channel_axis: 1 }, &[x, shift]);
        });
    }
}

fn fills(t: &mut Table) {
    for dtype in [Float32, Int32, Int64] {
        t.add(format!("ramp {dtype}"), move |n| {
            let x = n.input(dtype, &[6]);
            let ramp = n.op(Op::Fill { op: FillOperation::Linspace, dims: vec![6], dtype, alpha: 2.0, beta: 3.0 }, &[]);
            let ramp = n.op(reshape(&[ReshapeDim::Is(1), ReshapeDim::Is(6)]), &[ramp]);
            n.op(Op::ElementWise { op: ElementWiseOperation::Sum }, &[x, ramp]);
        });
        t.add(format!("ramp of a computed length {dtype}"), move |n| {
            let x = n.input(Float32, &[6]);
            let shape = n.op(Op::Shape, &[x]);
            let (start, step) =
                (n.constant(Weights::scalar(dtype, 0.0)), n.constant(Weights::filled(dtype, &[2], 1.0)));
            let fill = Op::Fill { op: FillOperation::Linspace, dims: Vec::new(), dtype, alpha: 0.0, beta: 1.0 };
            n.op(fill, &[shape, start, step]);
        });
        t.add(format!("ramp by attributes of a computed length {dtype}"), move |n| {
            let x = n.input(Float32, &[6]);
            let shape = n.op(Op::Shape, &[x]);
            let length = n.op(slice(&[0], &[1], &[1]), &[shape]);
            let fill = Op::Fill { op: FillOperation::Linspace, dims: Vec::new(), dtype, alpha: 0.0, beta: 1.0 };
            n.op(fill, &[length]);
        });
    }
    for dtype in [Float32, Float16] {
        for op in [FillOperation::RandomUniform, FillOperation::RandomNormal] {
            t.add(format!("{op:?} {dtype}"), move |n| {
                let x = n.input(dtype, &[6]);
                let dims = vec![1, 6];
                let noise = n.op(Op::Fill { op, dims, dtype, alpha: 0.0, beta: 1.0 }, &[]);
                n.op(Op::ElementWise { op: ElementWiseOperation::Sum }, &[x, noise]);
            });
            t.add(format!("{op:?} of a computed shape {dtype}"), move |n| {
                let x = n.input(dtype, &[6]);
                let shape = n.op(Op::Shape, &[x]);
                let fill = Op::Fill { op, dims: Vec::new(), dtype, alpha: 0.0, beta: 1.0 };
                let noise = n.op(fill, &[shape]);
                n.op(Op::ElementWise { op: ElementWiseOperation::Sum }, &[x, noise]);
            });
        }
    }
}
