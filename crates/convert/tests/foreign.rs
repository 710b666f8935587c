//! Converters from outside the crate: which calls they get, and what becomes of their results.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use convert::{Builder, Call, Error, Foreign, Options, Outputs, convert, coverage};
use indexmap::IndexMap;
use network::{ActivationType, Op};
use program::{Argument, Node, Program, ScalarType, Source, Value};

const TARGET: &str = "mine.tanh.default";

/// Converts one target, or fails, as configured.
struct Mine {
    target: &'static str,
    failure: Option<Error>,
}

const MINE: Mine = Mine { target: TARGET, failure: None };

impl Foreign for Mine {
    fn converts(&self, target: &str) -> bool {
        target == self.target
    }

    fn operator(&self, call: &Call<'_>) -> String {
        format!("my tanh at {}", call.source().position())
    }

    fn convert(&self, builder: &mut Builder, call: &Call<'_>) -> convert::Result<Outputs> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let x = call.tensor("self")?;
        Ok(builder.add(Op::Activation { kind: ActivationType::Tanh, alpha: 0.0, beta: 0.0 }, &[x])?.into())
    }
}

fn value(name: &str) -> Value {
    Value { name: name.into(), dtype: ScalarType::Float32, dims: vec![2.into(), 3.into()] }
}

/// `aten.relu(mine.tanh(x))`.
fn program() -> Program {
    let mut program = Program::new();
    let mut last = program.add_input(value("x"));
    for (target, line) in [(TARGET, 7), ("aten.relu.default", 8)] {
        let source = Source { module: "block".into(), file: "model.py".into(), line, function: "forward".into() };
        let arguments = IndexMap::from([("self".to_owned(), Argument::Value(last))]);
        let node = Node { target: target.into(), arguments, outputs: Vec::new(), source };
        last = program.add_node(node, vec![Some(value(target))]).unwrap()[0].unwrap();
    }
    program.add_output(Argument::Value(last)).unwrap();
    program
}

fn operators(foreign: &dyn Foreign, program: &Program) -> Vec<String> {
    let network = convert(program, &Options::default(), Some(foreign)).unwrap();
    network.verify().unwrap();
    network.layers().iter().map(|l| format!("{} {}", l.origin.module, l.origin.operator)).collect()
}

#[test]
fn a_foreign_converter_gets_its_calls_and_no_others() {
    assert_eq!(operators(&MINE, &program()), ["block my tanh at model.py:7", "block aten.relu.default"]);
}

#[test]
fn it_comes_before_the_converters_of_the_crate() {
    /// Converts everything.
    struct All;
    impl Foreign for All {
        fn converts(&self, _: &str) -> bool {
            true
        }
        fn operator(&self, call: &Call<'_>) -> String {
            MINE.operator(call)
        }
        fn convert(&self, builder: &mut Builder, call: &Call<'_>) -> convert::Result<Outputs> {
            MINE.convert(builder, call)
        }
    }
    assert_eq!(operators(&All, &program()), ["block my tanh at model.py:7", "block my tanh at model.py:8"]);
}

#[test]
fn without_it_the_call_has_no_converter() {
    let error = convert(&program(), &Options::default(), None).unwrap_err();
    assert!(matches!(&error, Error::NoConverter { missing, .. } if missing[0].target == TARGET));
}

#[test]
fn its_own_errors_are_passed_on_and_others_get_their_place() {
    let refused = |failure| {
        let mine = Mine { target: TARGET, failure: Some(failure) };
        convert(&program(), &Options::default(), Some(&mine)).unwrap_err()
    };
    let own = Error::Foreign { problem: "converter `f` of mine.tanh raised".into() };
    assert_eq!(refused(own.clone()), own);
    let other = refused(Error::unsupported("no such thing"));
    assert_eq!(other.to_string(), "mine.tanh.default (block model.py:7): no such thing");
}

#[test]
fn coverage_counts_it() {
    let program = program();
    assert!(coverage(&program, Some(&MINE)).iter().all(|operator| operator.converts));
    assert_eq!(coverage(&program, None).iter().filter(|operator| !operator.converts).count(), 1);
}
