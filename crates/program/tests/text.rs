//! The text form: a program as it is printed, round trips of drawn programs, and texts that are not programs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

use dims::Dim;
use indexmap::IndexMap;
use program::{Argument, Error, Node, Program, ScalarType, Source, Symbol, Value, ValueId, WeightKind};
use proptest::prelude::*;
use std::collections::HashMap;

/// Parses `text` with the weights of `source`.
fn parse(text: &str, source: &Program) -> Result<Program, Error> {
    let weights: HashMap<u64, bytes::Bytes> = source.weights().map(|w| (w.digest(), w.data.clone())).collect();
    Program::parse(text, &|digest| weights.get(&digest).cloned())
}

fn error(text: &str) -> String {
    parse(text, &Program::new()).unwrap_err().to_string()
}

const SMALL: &str = r#"program
  symbol s0 in 1..8 hint 4
  symbol u1 in 0.. hint -1
  input %x: float32[s0,3]
  input %"a b": int64[floordiv(s0, 2) + 1]
  weight %fc.weight: float32[2,3] parameter = [0.5, -0.0, inf, nan, 1e-45, 0x7fc00001]
  weight %x@1: complex64[1] buffer = [1.0, -2.0]
  weight %mask: bool[2] constant = [True, False]
  %linear: float32[s0,2] = aten.linear.default(input=%x, weight=%fc.weight, bias=None) from "fc" "net.py:7"
  %max: float32[s0], _ = aten.max.dim(self=%linear, dim=-1, keepdim=False) from "" "net.py:8"
  %cat: float32[2*s0] = aten.cat.default(tensors=[%max, %max], dim=0) from "head" ""
  aten._assert.default(size=2*s0 + 1, alpha=1e-5, message="\"odd\"\n", sizes=[1, s0], scales=[1.0, -inf])
  %y: float32[] = mine.op.default(flags=[True], dtype=torch.bfloat16, device=device("cuda:0"), z=complex(0.0, -1.5))
  %z: float32[] = mine.op.default(layout=layout("strided"), format=memory_format("preserve_format"), a=[%y, None])
  %w: float32[] = "mine.odd name"(a=[], b=int[], c=float[], d=bool[], "odd name"=True)
  return %cat, %w, 3, None
"#;

#[test]
fn a_printed_program_is_the_text_that_was_parsed() {
    let program = parse(SMALL, &Program::new()).unwrap();
    assert_eq!(program.to_string(), SMALL);
    let node = &program.nodes()[0];
    assert_eq!((node.source.position(), node.source.module.as_str()), ("net.py:7".to_owned(), "fc"));
    assert_eq!(program.symbols()["u1"], Symbol { min: 0, max: None, hint: -1 });
    assert_eq!(program.weights().nth(1).unwrap().name, "x");
    assert_eq!(program.nodes()[1].outputs[1], None);
    assert_eq!(program.nodes()[6].arguments["b"], Argument::Ints(Vec::new()));
}

#[test]
fn comments_and_blank_lines_are_skipped() {
    let text = "# A case.\n\nprogram\n  # its input\n  input %x: float32[]\n\n  return %x\n# end\n";
    assert_eq!(parse(text, &Program::new()).unwrap().to_string(), "program\n  input %x: float32[]\n  return %x\n");
}

#[test]
fn large_weights_are_read_by_digest_or_drawn_from_a_seed() {
    let text = "program\n  weight %w: float32[4,5] parameter = seed 3\n  return %w\n";
    let program = parse(text, &Program::new()).unwrap();
    let printed = program.to_string();
    assert!(printed.contains("parameter = #"), "{printed}");
    assert_eq!(parse(&printed, &program).unwrap(), program);
    let missing = error(&printed);
    assert!(missing.contains("line 2, column 39: no weight #"), "{missing}");
    assert_ne!(parse(&text.replace("seed 3", "seed 4"), &Program::new()).unwrap(), program);
}

#[test]
fn a_symbol_named_like_a_word_of_the_text_is_no_such_word() {
    let mut program = Program::new();
    for name in ["inf", "nan", "None", "True", "e5", "complex"] {
        program.add_symbol(name, Symbol { min: 1, max: None, hint: 1 });
    }
    let sizes: Vec<Dim> = ["inf", "-inf", "None", "True", "-True", "2*nan + inf", "e5", "complex", "-e5"]
        .iter()
        .map(|text| Dim::parse(text).unwrap())
        .collect();
    program.add_output(Argument::Ints(sizes.clone())).unwrap();
    program.add_input(Value { name: "x".into(), dtype: ScalarType::Int8, dims: sizes.clone() });
    for size in sizes {
        program.add_output(Argument::Int(size.clone())).unwrap();
        program.add_output(Argument::Ints(vec![size])).unwrap();
    }
    assert_eq!(parse(&program.to_string(), &program).unwrap(), program, "{program}");
}

#[test]
fn errors_have_the_line_the_column_and_what_was_expected() {
    let body =
        |line: &str| error(&format!("program\n  symbol s0 in 1.. hint 1\n  input %x: float32[2]\n  {line}\n  return"));
    let mut wrong = Vec::new();
    for (line, problem) in [
        ("input %x: float32[2]", "line 4, column 9: `x` is defined twice: write the second as `%x@1`"),
        ("input %y: float33[2]", "line 4, column 13: `float33` is not a dtype"),
        ("input %y: float32[s1]", "line 4, column 21: the symbol `s1` is not declared: add a line `symbol s1 in"),
        ("input %y: float32[(s0 + 1)*s0]", "column 21: `(s0 + 1)*s0` is not a size: write it as a sum of products"),
        ("input %y float32[2]", "line 4, column 12: expected `:`, found `float32[2]`"),
        ("weight %w: float32[2] parameter = [1.0]", "column 10: weight `w` is float32 [2], but 4 bytes were given"),
        ("weight %w: int8[1] buffer = [300]", "line 4, column 32: `300` is not a int8 number"),
        ("weight %w: int8[1] tensor = [3]", "column 22: expected `parameter`, `buffer` or `constant`, found `tensor"),
        ("weight %w: float32[s0] buffer = seed 1", "a weight with a seed has static sizes"),
        ("weight %w: float32[99999999999,99999999999] buffer = seed 1", "at most 16777216 bytes"),
        ("symbol s0 in 1.. hint 1", "line 4, column 10: the symbol `s0` is declared twice"),
        ("symbol s1 in one", "line 4, column 16: expected a 64-bit integer, found `one`"),
        ("%y: float32[2] = aten.relu.default(self=%z)", "column 43: the value `z` is used before it is defined"),
        ("%y: float32[2] = aten.relu.default(self=%x", "column 45: expected `,`, found the end of the line"),
        ("%y: float32[2] = aten.relu.default(self=)", "column 43: expected an argument, found `)`"),
        ("%y: float32[2] = f(a=1, a=2)", "column 27: the argument `a` is given twice"),
        ("%y: float32[2] = f(a=[1.0, 2])", "column 30: expected a float such as 1.0 or inf, found `2])`"),
        ("%y: float32[2] = f(a=[True, 2])", "column 31: expected `True` or `False`, found `2])`"),
        ("%y: float32[2] = f(a=[%x, 2])", "column 29: expected `%`, found `2])`"),
        ("%y: float32[2] = f(a=\"b)", "column 24: the string has no closing quote"),
        ("%y: float32[2] = f(a=\"\\q\")", "expected an escape"),
        ("%y: float32[2] = f() from \"\" \"net.py\"", "column 32: expected a file without folders and a line, such as"),
        ("%y: float32[2] = f() from \"\" \"a/net.py:7\"", "such as \"net.py:7\", found \"a/net.py:7\""),
        ("%y: float32[2] = f() # what", "column 24: expected the end of the line, found `# what`"),
        ("%y: float32[2]", "line 4, column 17: expected `=`, found the end of the line"),
    ] {
        let found = body(line);
        if !found.contains(problem) {
            wrong.push(format!("{line}\n  expected: {problem}\n  found: {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(error("network\n").contains("line 1, column 1: a program starts with the line `program`"));
    assert!(error("").contains("a program starts with the line `program`"));
    assert!(error("program\n").contains("the last line, `return …`, is missing"));
    assert!(error("program\nreturn\nreturn\n").contains("line 3, column 1: there is a line after `return`"));
}

const DTYPES: [ScalarType; 9] = [
    ScalarType::Float32,
    ScalarType::Float16,
    ScalarType::BFloat16,
    ScalarType::Float64,
    ScalarType::Int64,
    ScalarType::UInt8,
    ScalarType::Bool,
    ScalarType::Complex64,
    ScalarType::Float8E4M3,
];

fn size() -> impl Strategy<Value = Dim> {
    let expression = prop::sample::select(vec![
        "s0",
        "s1",
        "inf",
        "True",
        "2*s0 + 1",
        "s0*s1 - 7",
        "floordiv(s0 - 1, 2)",
        "max(s0, 3)*min(s1, 4)",
        "-s1",
    ]);
    prop_oneof![any::<i64>().prop_map(Dim::Static), expression.prop_map(|text| Dim::parse(text).unwrap())]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z_][a-z0-9_.]{0,5}", any::<String>(), prop::sample::select(vec!["x".to_owned(), "_".to_owned()])]
}

fn float() -> impl Strategy<Value = f64> {
    // Bits of any kind; a NaN has one text.
    any::<u64>().prop_map(f64::from_bits).prop_map(|x| if x.is_nan() { 0.0 } else { x })
}

/// An argument of any kind. `count` values are defined before it.
fn argument(count: usize) -> impl Strategy<Value = Argument> {
    let id = move || (0..u32::try_from(count).unwrap()).prop_map(ValueId);
    prop_oneof![
        Just(Argument::None),
        id().prop_map(Argument::Value),
        prop::collection::vec(prop::option::of(id()), 0..3).prop_map(Argument::Values),
        any::<bool>().prop_map(Argument::Bool),
        size().prop_map(Argument::Int),
        float().prop_map(Argument::Float),
        any::<String>().prop_map(Argument::String),
        prop::collection::vec(size(), 0..3).prop_map(Argument::Ints),
        prop::collection::vec(float(), 0..3).prop_map(Argument::Floats),
        prop::collection::vec(any::<bool>(), 0..3).prop_map(Argument::Bools),
        prop::sample::select(DTYPES.to_vec()).prop_map(Argument::Dtype),
        name().prop_map(Argument::Device),
        name().prop_map(Argument::Layout),
        name().prop_map(Argument::MemoryFormat),
        (float(), float()).prop_map(|(re, im)| Argument::Complex(re, im)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let dtype = prop::sample::select(DTYPES.to_vec());
    (name(), dtype, prop::collection::vec(size(), 0..3)).prop_map(|(name, dtype, dims)| Value { name, dtype, dims })
}

/// A weight of up to 24 elements, some written by digest.
fn weight() -> impl Strategy<Value = (Value, WeightKind, Vec<u8>)> {
    let kind = prop::sample::select(vec![WeightKind::Parameter, WeightKind::Buffer, WeightKind::Constant]);
    let dims = prop::collection::vec(0i64..5, 0..3).prop_filter("few elements", |d| d.iter().product::<i64>() <= 24);
    (value(), kind, dims, prop::collection::vec(any::<u8>(), 24 * 16)).prop_map(|(value, kind, dims, bytes)| {
        let size = dims.iter().product::<i64>() as usize * value.dtype.size();
        let dims = dims.into_iter().map(Dim::Static).collect();
        (Value { dims, ..value }, kind, bytes[..size].to_vec())
    })
}

type Call = (String, Vec<Option<Value>>, IndexMap<String, Argument>, Source);

fn call(count: usize) -> impl Strategy<Value = Call> {
    let source = (name(), prop::option::of(("[a-z :/]{0,5}", any::<u32>()))).prop_map(|(module, place)| {
        // The text has no folders, and no line without a file.
        let (path, line) = place.unwrap_or_default();
        let file = path.rsplit('/').next().unwrap_or_default().to_owned();
        let line = if file.is_empty() { 0 } else { line };
        Source { module, file, line, function: String::new() }
    });
    let outputs = prop::collection::vec(prop::option::weighted(0.8, value()), 0..3);
    let arguments = prop::collection::vec((name(), argument(count)), 0..4).prop_map(|list| list.into_iter().collect());
    (name(), outputs, arguments, source)
}

fn program() -> impl Strategy<Value = Program> {
    let inputs = prop::collection::vec(value(), 1..4);
    let weights = prop::collection::vec(weight(), 0..3);
    let range = (-1i64..3, prop::option::of(3i64..9), -1i64..9);
    let symbols = prop::collection::vec(range, 4);
    (inputs, weights, symbols)
        .prop_flat_map(|(inputs, weights, symbols)| {
            let count = inputs.len() + weights.len();
            let calls = prop::collection::vec(call(count), 0..4);
            (Just((inputs, weights, symbols)), calls, prop::collection::vec(argument(count), 0..3))
        })
        .prop_map(|((inputs, weights, symbols), calls, outputs)| {
            let mut program = Program::new();
            for (name, (min, max, hint)) in ["s0", "s1", "inf", "True"].into_iter().zip(symbols) {
                program.add_symbol(name, Symbol { min, max, hint });
            }
            for value in inputs {
                program.add_input(value);
            }
            for (value, kind, data) in weights {
                program.add_weight(value, kind, data.into()).unwrap();
            }
            for (target, outputs, arguments, source) in calls {
                let node = Node { target, arguments, outputs: Vec::new(), source };
                program.add_node(node, outputs).unwrap();
            }
            for output in outputs {
                program.add_output(output).unwrap();
            }
            program
        })
}

/// Drawn cases: `TORCH2TRT_TEST_CASES` multiplies their number.
fn cases() -> u32 {
    128 * std::env::var("TORCH2TRT_TEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_program_parses_to_an_equal_one(program in program()) {
        let text = program.to_string();
        let again = parse(&text, &program);
        prop_assert_eq!(again.as_ref(), Ok(&program), "{}", text);
        prop_assert_eq!(again.unwrap().to_string(), text);
    }

    #[test]
    fn a_text_with_a_part_left_out_does_not_panic(
        from in 0..SMALL.len(),
        length in 0usize..20,
        add in "[%@\\[(,\"= a0]?",
    ) {
        let end = (from + length).min(SMALL.len());
        if let Ok(program) = parse(&[&SMALL[..from], &add, &SMALL[end..]].concat(), &Program::new()) {
            prop_assert_eq!(parse(&program.to_string(), &program), Ok(program));
        }
    }
}
