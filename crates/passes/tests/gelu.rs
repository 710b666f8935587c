//! GELUs as models write them, and what only looks like one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

mod common;

use common::{count, read};
use network::{Network, Weights};
use passes::{Pass, eval, run};
use std::fmt::Write as _;

/// A network of one input `x`, written as lines `name = op a b`, where a number is a constant.
fn written(dtype: &str, lines: &str) -> Network {
    let mut text = format!("input %0 \"x\": {dtype}[2,5]\n");
    let mut known = vec![("x".to_owned(), 0)];
    let mut next = 1;
    for line in lines.trim().lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut inputs = Vec::new();
        for word in &words[3..] {
            let id = if let Some((_, id)) = known.iter().find(|(name, _)| name == word) {
                *id
            } else {
                writeln!(text, "%{next}: {dtype}[1,1] = Constant([{word}])").unwrap();
                next += 1;
                next - 1
            };
            inputs.push(format!("%{id}"));
        }
        let op = match words[2] {
            "Erf" => "Unary(op: Erf)".to_owned(),
            "Tanh" => "Activation(kind: Tanh, alpha: 0.0, beta: 0.0)".to_owned(),
            op => format!("ElementWise(op: {op})"),
        };
        writeln!(text, "%{next}: {dtype}[2,5] = {op}({})", inputs.join(", ")).unwrap();
        known.push((words[0].to_owned(), next));
        next += 1;
    }
    writeln!(text, "output \"y\": %{}", next - 1).unwrap();
    read(&text)
}

const ERF: &str = "a = Div x 1.4142135\nb = Erf a\nc = Sum b 1.0\nd = Prod x c\ny = Prod d 0.5";

fn gelus() -> Vec<(&'static str, String)> {
    let tanh = "b = Prod x x\nc = Prod b x\nd = Prod c 0.044715\ne = Sum x d\nf = Prod e 0.7978846\n";
    vec![
        ("GeluErf", ERF.into()),
        ("GeluErf", "a = Prod x 0.70710677\nb = Erf a\nc = Sum 1.0 b\nh = Prod 0.5 x\ny = Prod h c".into()),
        // The two halves apart.
        ("GeluErf", "h = Prod x 0.5\na = Prod x 0.70710677\nb = Erf a\nc = Prod b h\ny = Sum h c".into()),
        ("GeluTanh", format!("h = Prod x 0.5\n{tanh}g = Tanh f\ni = Sum g 1.0\ny = Prod h i")),
        ("GeluTanh", format!("{tanh}g = Tanh f\ni = Sum 1.0 g\nj = Prod i x\ny = Div j 2.0")),
        // x taken out of the inner sum, and a power.
        (
            "GeluTanh",
            "a = Pow x 2.0\nb = Prod a 0.044715\nc = Sum 1.0 b\nd = Prod x 0.7978846\ne = Prod d c\ng = Tanh e\n\
             i = Sum 1.0 g\nh = Prod 0.5 x\ny = Prod h i"
                .into(),
        ),
        (
            "GeluTanh",
            "a = Pow x 3.0\nb = Prod 0.044715 a\nc = Sum x b\ne = Prod 0.7978846 c\ng = Tanh e\ni = Sum g 1.0\n\
             j = Prod x i\ny = Prod 0.5 j"
                .into(),
        ),
    ]
}

fn pass(network: &Network) -> Network {
    run(network, &[Pass::Gelu, Pass::Dce]).unwrap().0
}

#[test]
fn every_way_of_writing_it_is_one_layer() {
    for dtype in ["float32", "float16"] {
        for (kind, lines) in gelus() {
            let network = written(dtype, &lines);
            let made = pass(&network);
            assert_eq!(made.layers().len(), 1, "{lines}\n{made}");
            assert!(made.to_string().contains(&format!("Activation(kind: {kind}")), "{lines}\n{made}");
        }
    }
}

#[test]
fn it_computes_the_same() {
    for (_, lines) in gelus() {
        let network = written("float32", &lines);
        let x = Weights::from_f64(network::DType::Float32, &[2, 5], (0..10).map(|n| f64::from(n) * 0.9 - 4.0));
        let values = |network: &Network| eval::run(network, std::slice::from_ref(&x)).unwrap()[0].to_f64();
        for (a, b) in values(&network).iter().zip(values(&pass(&network))) {
            assert!((a - b).abs() < 1e-6, "{a} and {b}: {lines}");
        }
    }
}

#[test]
fn the_argument_may_be_a_sum_or_a_product_itself() {
    for before in ["p = Prod x x\nz = Prod p 3.0\n", "p = Sum x 1.0\nz = Prod p x\n"] {
        for (kind, lines) in gelus() {
            let lines: Vec<String> = lines
                .lines()
                .map(|l| l.split(' ').map(|w| if w == "x" { "z" } else { w }).collect::<Vec<_>>().join(" "))
                .collect();
            let made = pass(&written("float32", &format!("{before}{}", lines.join("\n"))));
            assert!(made.to_string().contains(kind), "{made}");
            assert_eq!(count(&made, "ElementWise"), 2, "{made}");
        }
    }
}

#[test]
fn what_only_looks_like_one_stays() {
    let others = [
        ERF.replace("1.4142135", "1.4"),
        ERF.replace("b 1.0", "b 1.5"),
        ERF.replace("d 0.5", "d 0.4"),
        ERF.replace("Prod x c", "Prod b c"),
        ERF.replace("Erf", "Tanh"),
        ERF.replace("Div x", "Sum x"),
        // The sum is used for something else too.
        format!("{ERF}\nz = Sum y c"),
        ERF.replace("Prod d 0.5", "Prod d d"),
    ];
    for lines in others {
        let network = written("float32", &lines);
        let made = pass(&network);
        assert!(!made.to_string().contains("Gelu"), "{lines}\n{made}");
        assert_eq!(made.layers().len(), network.layers().len(), "{lines}\n{made}");
    }
}
