//! temp
#[path = "common/mod.rs"]
mod common;
use common::*;
use network::*;
use std::time::Instant;
#[test]
fn t() {
    let library = library("TORCH2TRT_TEST_RTX_1_7").unwrap();
    for i in 0..4 {
        let t = Instant::now();
        let b = nvinfer::Builder::new(library).unwrap();
        let t1 = t.elapsed();
        let c = b.create_config().unwrap();
        let t2 = t.elapsed();
        drop(c); drop(b);
        println!("{i} builder {t1:?} config {t2:?} dropped {:?}", t.elapsed());
        let mut n = Net::new(false);
        let x = n.input(DType::Float32, &[4]);
        let y = n.op(Op::Unary { op: UnaryOperation::Exp }, &[x]);
        n.output(y);
        let p = build(&n.network, library).unwrap();
        println!("{i} build {:?}", p.report.time);
    }
    // many layers: how long does telling take?
    for count in [500, 2000] {
    let mut n = Net::new(true);
    let mut x = n.input(DType::Float32, &[64]);
    for _ in 0..count {
        let w = n.random(DType::Float32, &[64, 64]);
        x = n.op(Op::MatrixMultiply { op0: MatrixOperation::None, op1: MatrixOperation::None }, &[x, w]);
    }
    n.output(x);
    let t = Instant::now();
    let p = build(&n.network, library).unwrap();
    println!("{count} {:?} {:?} {:?}", t.elapsed(), p.report.time, p.report.layers);
    }
}
