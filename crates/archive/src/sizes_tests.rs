//! Tests of sizes, by hand and with random expressions.

use super::*;
use proptest::prelude::*;

const S: &str = "Symbol('s77', positive=True, integer=True)";
const U: &str = "Symbol('u0', integer=True)";

fn read(text: &str) -> Sized<Dim> {
    size(&parse(text)?, &HashMap::new(), &Known::default())
}

fn dim(text: &str) -> Dim {
    read(text).unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

#[test]
fn integers_sums_and_products() {
    for (text, expected) in [
        ("Integer(7)".to_owned(), "7"),
        (S.to_owned(), "s77"),
        (format!("Mul(Integer(2), {S})"), "2*s77"),
        (format!("Add(Mul(Integer(-1), {S}), Integer(3))"), "3 - s77"),
        (format!("Pow({S}, Integer(2))"), "s77*s77"),
        (format!("FloorDiv({S}, Integer(2))"), "floordiv(s77, 2)"),
        (format!("torch.utils._sympy.functions.FloorDiv(Add({S}, Integer(1)), Integer(2))"), "ceildiv(s77, 2)"),
        (format!("CeilDiv({S}, Integer(4))"), "ceildiv(s77, 4)"),
        (format!("PythonMod({S}, Integer(4))"), "mod(s77, 4)"),
        (format!("ModularIndexing({S}, Integer(2), Integer(3))"), "mod(floordiv(s77, 2), 3)"),
        (format!("Max(Integer(1), {U}, {S})"), "max(max(1, s77), u0)"),
        (format!("Min(Integer(9), {S})"), "min(s77, 9)"),
        (format!("Abs({U})"), "max(u0, 0 - u0)"),
        (format!("Identity({S})"), "s77"),
    ] {
        assert_eq!(dim(&text), Dim::parse(expected).unwrap(), "{text}");
    }
}

#[test]
fn exact_fractions_are_one_division() {
    let scaled = |scale: &str| format!("Mul(Float('{scale}', precision=53), ToFloat({S}))");
    for (text, expected) in [
        (format!("TruncToInt({})", scaled("1.5")), "floordiv(3*s77, 2)"),
        (format!("TruncToInt({})", scaled("2.0")), "2*s77"),
        (format!("FloorToInt(IntTrueDiv({S}, Integer(2)))"), "floordiv(s77, 2)"),
        (format!("CeilToInt(FloatTrueDiv(ToFloat({S}), Float('0.5', precision=53)))"), "2*s77"),
        (format!("Mul(Rational(1, 2), {S})"), "floordiv(s77, 2)"),
        (format!("Add(Rational(1, 2), Mul(Rational(3, 2), {S}))"), "floordiv(1 + 3*s77, 2)"),
        (format!("floor(Add(Rational(1, 3), Mul(Rational(1, 2), {S})))"), "floordiv(2 + 3*s77, 6)"),
        (format!("Mul({U}, Pow({S}, Integer(-1)))"), "floordiv(u0, s77)"),
    ] {
        assert_eq!(dim(&text), Dim::parse(expected).unwrap(), "{text}");
    }
}

#[test]
fn what_is_not_exact_is_an_error() {
    for (text, part) in [
        (format!("TruncToInt(Mul(Float('0.3', precision=53), ToFloat({S})))"), "exact"),
        (format!("TruncToInt(Mul(Float('0.5', precision=53), ToFloat({U})))"), "negative"),
        (format!("FloorToInt(FloatPow(ToFloat({S}), Float('0.5', precision=53)))"), "FloatPow"),
        (format!("OpaqueUnaryFn_sqrt({S})"), "OpaqueUnaryFn_sqrt"),
        (format!("Pow({S}, Integer(9))"), "power"),
        (format!("Pow({S}, {S})"), "Pow"),
        ("Float('nan', precision=53)".to_owned(), "no integer"),
        ("TruncToInt(Float('inf', precision=53))".to_owned(), "exact"),
        ("Max()".to_owned(), "nothing"),
    ] {
        let names = HashMap::new();
        let exact = Writer { names: &names, known: None };
        let problem = parse(&text).and_then(|read| exact.integer(&read)).expect_err(&text);
        assert!(problem.contains(part), "{text}: {problem}");
    }
}

/// The form of a rounded expression of `s77` between 2 and 5000, and the largest size for which it is right.
fn rounded(text: &str) -> Sized<(Dim, i64)> {
    let known = Known { ranges: [("s77".to_owned(), (2, Some(5000)))].into(), ..Known::default() };
    let form = size(&parse(text)?, &HashMap::new(), &known)?;
    let limit = known.limits.borrow().get("s77").copied();
    Ok((form, limit.unwrap_or(5000)))
}

fn at(dim: &Dim, size: i64) -> i64 {
    dim.eval(&|_| Some(size)).unwrap()
}

#[test]
fn rounded_floats_are_right_for_every_size() {
    type Rounding = fn(f64) -> f64;
    let functions: [(&str, Rounding); 4] = [
        ("TruncToInt", f64::trunc),
        ("FloorToInt", f64::floor),
        ("CeilToInt", f64::ceil),
        ("RoundToInt", f64::round_ties_even),
    ];
    for factor in [0.29, 0.57, 0.58, 1.1, 1.13, 2.3, 1.0 / 3.0, 2.0 / 3.0, 0.5, 1.7] {
        for (name, function) in functions {
            let text = format!("{name}(Mul(Float('{factor:?}', precision=53), ToFloat({S})))");
            let (form, limit) = rounded(&text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
            assert!(limit >= 100, "{text}: {limit}");
            for size in 1..=limit {
                assert_eq!(at(&form, size), function(factor * size as f64) as i64, "{text} at {size}: {form}");
            }
        }
    }
}

#[test]
fn roots_are_steps() {
    let (form, limit) = rounded(&format!("FloorToInt(FloatPow(ToFloat({S}), Float('0.5', precision=53)))")).unwrap();
    assert_eq!(limit, 675);
    assert!((1..=limit).all(|size| at(&form, size) == size.isqrt()));
    assert!(rounded(&format!("TruncToInt(OpaqueUnaryFn_sqrt(ToFloat(Mul({S}, {U}))))")).is_err());
}

#[test]
fn what_is_no_expression_is_an_error() {
    let deep = format!("{}Integer(1){}", "Abs(".repeat(100_000), ")".repeat(100_000));
    let large = format!("Mul({})", vec![format!("Add({S}, {U}, Integer(1))"); 60].join(", "));
    let long = format!("Add({})", vec![S; 2000].join(", "));
    for text in [
        &long,
        "",
        "Integer",
        "Integer(",
        "Integer(x)",
        "Integer(99999999999999999999)",
        "Symbol(s0)",
        "Symbol('a b')",
        "Symbol('')",
        "Symbol('s0'",
        "Rational(1, 0)",
        "Rational(1)",
        "Float(1.5)",
        "Integer(1) Integer(2)",
        "Add(Integer(1)",
        "Add(Integer(1) Integer(2))",
        "Symbol('s0', positive)",
        "ü(1)",
        &deep,
        &large,
    ] {
        assert!(read(text).is_err(), "{}", text.chars().take(60).collect::<String>());
    }
}

#[test]
fn symbols_get_the_names_they_are_given() {
    let names = [("s77".to_owned(), "x_dim0".to_owned())].into();
    let read = |text: &str| size(&parse(text).unwrap(), &names, &Known::default()).unwrap();
    assert_eq!(read(&format!("Add({S}, {U})")), Dim::parse("x_dim0 + u0").unwrap());
    assert_eq!(read(&format!("TruncToInt(ToFloat({S}))")), Dim::symbol("x_dim0"));
    for (name, unbacked) in [("u0", true), ("zuf3", true), ("uf12", true), ("s0", false), ("u", false), ("u0x", false)]
    {
        assert_eq!(is_unbacked(name), unbacked, "{name}");
    }
    let taken = |name: &str| name == "a";
    let names = ["a", "xs.0_dim1", "max", "1x", "u7", "größe"].map(|name| free_name(name, &taken));
    assert_eq!(names, ["_a", "xs_0_dim1", "_max", "_1x", "_u7", "größe"]);
}

/// An expression as sympy writes it and as the grammar of sizes has it.
fn arbitrary() -> impl Strategy<Value = (String, String)> {
    let leaf = prop_oneof![
        (-9i64..40).prop_map(|n| (format!("Integer({n})"), format!("({n})"))),
        (0..3).prop_map(|k| (format!("Symbol('s{k}', positive=True, integer=True)"), format!("s{k}"))),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        (inner.clone(), inner, 0..6, 1..9).prop_map(|((a, x), (b, y), kind, n)| match kind {
            0 => (format!("Add({a}, {b})"), format!("({x} + {y})")),
            1 => (format!("Mul({a}, {b})"), format!("({x})*({y})")),
            2 => (format!("FloorDiv({a}, Integer({n}))"), format!("floordiv({x}, {n})")),
            3 => (format!("Mod({a}, Integer({n}))"), format!("mod({x}, {n})")),
            4 => (format!("Max({a}, {b})"), format!("max({x}, {y})")),
            _ => (format!("Min({a}, {b})"), format!("min({x}, {y})")),
        })
    })
}

proptest! {
    #[test]
    fn values_are_those_of_the_expression((text, expected) in arbitrary(), values in [1i64..50, 1..50, 1..50]) {
        let env = |name: &str| name.strip_prefix('s').and_then(|k| k.parse::<usize>().ok()).map(|k| values[k]);
        prop_assert_eq!(dim(&text).eval(&env), Dim::parse(&expected).unwrap().eval(&env));
    }

    #[test]
    fn no_text_panics(text in r"[A-Za-z]{0,8}\(?['(), =A-Za-z0-9.-]{0,40}") {
        let _ = read(&text);
    }
}
