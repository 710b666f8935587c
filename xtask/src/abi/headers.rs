//! Reads TensorRT's C++ headers: each class's virtual methods in slot order, and the numbers of enums.
//!
//! This is no C++ parser. It reads what TensorRT's headers contain: classes with virtual methods, and enums whose
//! values are integers. What it cannot read is an error. Only names, signatures and numbers are taken.

use std::collections::BTreeMap;
use std::path::Path;

use super::Result;
use super::facts::{DESTRUCTOR, Facts};
use super::{enums, methods};

/// The headers with the interfaces of TensorRT itself: what their names begin with. Plugins and parsers have others.
const FILES: [&str; 4] = ["NvInfer.", "NvInferImpl", "NvInferRuntime", "NvInferPluginBase"];

/// A class as declared.
#[derive(Debug, Default)]
struct Class {
    bases: Vec<String>,
    /// Declarations of virtual methods and of overrides, in order.
    methods: Vec<String>,
}

/// The facts of `version` from the headers in `folder`: the classes and enums that the binding uses.
pub(super) fn read(folder: &Path, version: &str) -> Result<Facts> {
    let (mut classes, mut numbers) = (BTreeMap::new(), BTreeMap::new());
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| entry.ok().map(|e| e.path())).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if FILES.iter().any(|prefix| name.starts_with(prefix)) && name.ends_with(".h") {
            let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            scan(&code_of(&text), &mut classes, &mut numbers).map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    let mut facts = Facts { version: version.to_owned(), enums: numbers, ..Facts::default() };
    for name in classes.keys().filter(|name| methods::is_used(name)) {
        let slots = table(name, &classes)?;
        if slots != [DESTRUCTOR] {
            facts.classes.insert(name.clone(), slots);
        }
    }
    if facts.classes.is_empty() {
        return Err(format!("{}: no class of TensorRT in its .h files", folder.display()));
    }
    Ok(facts)
}

/// The text without comments and preprocessor lines. A line that begins a condition becomes `#;`: what follows it in a
/// class depends on how the headers are compiled.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('/') {
        code.push_str(&rest[..at]);
        rest = &rest[at..];
        let (end, skipped) = match rest.as_bytes().get(1) {
            Some(b'*') => ("*/", 2),
            Some(b'/') => ("\n", 0),
            _ => ("/", 1),
        };
        rest = rest.find(end).map_or("", |length| &rest[length + skipped..]);
    }
    code.push_str(rest);
    let code = code.replace("\\\n", " ").replace("[[maybe_unused]]", "").replace("[[nodiscard]]", "");
    let lines = code.lines().map(|line| match line.trim_start().strip_prefix('#') {
        None => line,
        Some(directive) if directive.trim_start().starts_with("if") => "#;",
        Some(_) => "",
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Collects the classes and enums of a text without comments.
fn scan(
    code: &str,
    classes: &mut BTreeMap<String, Class>,
    numbers: &mut BTreeMap<String, BTreeMap<String, i64>>,
) -> Result<()> {
    for (at, keyword) in keywords(code) {
        // A declaration without a body, or a template's parameter.
        let head = &code[at + keyword.len()..];
        let Some(open) = head.find(['{', ';', '>', ')', '(', ',']).filter(|end| head[*end..].starts_with('{')) else {
            continue;
        };
        let body = block(&head[open..]).ok_or("a brace is not closed")?;
        let head = head[..open].trim().trim_start_matches("class ").trim_start_matches("struct ");
        let (name, bases) = head.split_once(':').unwrap_or((head, ""));
        let name = name.split_whitespace().rfind(|word| *word != "final").unwrap_or_default().to_owned();
        if keyword == "enum" {
            if enums::is_used(&name) {
                numbers.entry(name).or_insert(values(body)?);
            }
            continue;
        }
        let bases = bases.split(',').filter_map(|base| base.split([' ', ':']).rfind(|word| !word.is_empty()));
        let class = Class { bases: bases.map(str::to_owned).collect(), methods: methods(body) };
        classes.entry(name).or_insert(class);
    }
    Ok(())
}

/// Where a class or an enum begins.
fn keywords(code: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for keyword in ["class", "enum"] {
        for (at, _) in code.match_indices(keyword) {
            let before = code[..at].trim_end();
            let starts = code[..at].ends_with(|c: char| !is_word(c)) || at == 0;
            let ends = code[at + keyword.len()..].starts_with(char::is_whitespace);
            if starts && ends && !before.ends_with("enum") {
                found.push((at, keyword));
            }
        }
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What stands between the brace at the start of `text` and the one that closes it.
fn block(text: &str) -> Option<&str> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth == 0 {
            return Some(&text[1..at]);
        }
    }
    None
}

/// `kCUBLAS = 0, kCUDNN, kEDGE = 1 << 3`: the number of each value.
fn values(body: &str) -> Result<BTreeMap<String, i64>> {
    let mut numbers = BTreeMap::new();
    let mut next = 0;
    for item in body.split(',').map(|item| item.replace("#;", "")) {
        let (name, value) = item.split_once('=').map_or((item.as_str(), None), |(name, value)| (name, Some(value)));
        let Some(name) = name.split_whitespace().next() else { continue };
        if let Some(value) = value {
            let named = numbers.get(value.trim()).copied();
            next = named
                .or_else(|| number(value))
                .ok_or_else(|| format!("cannot read the value of {name}: `{}`", value.trim()))?;
        }
        numbers.insert(name.to_owned(), next);
        next += 1;
    }
    Ok(numbers)
}

/// `7`, `-1`, `0x10`, `1ULL << 3`.
fn number(text: &str) -> Option<i64> {
    let text = text.trim().trim_matches(['(', ')']);
    if let Some((one, shift)) = text.split_once("<<") {
        return number(one)?.checked_shl(shift.trim().parse().ok()?);
    }
    let digits = text.trim().trim_end_matches(['u', 'U', 'l', 'L']);
    match digits.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => digits.parse().ok(),
    }
}

/// The declarations of virtual methods in a class's body.
fn methods(body: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = body;
    while let Some(end) = end_of_statement(rest) {
        let statement = &rest[..end];
        // A body or an initializer ends a declaration without a semicolon.
        let after = if rest[end..].starts_with('{') {
            block(&rest[end..]).map_or(rest.len(), |b| end + b.len() + 2)
        } else {
            end + 1
        };
        rest = rest.get(after..).unwrap_or_default();
        if statement.trim_end().ends_with('#') {
            found.push("#".to_owned());
        }
        let words: Vec<&str> = statement.split_whitespace().collect();
        let is_virtual = |word: &&str| ["virtual", "override", "TRTNOEXCEPTOVERRIDE"].contains(word);
        if words.iter().any(is_virtual) && statement.contains('(') {
            found.push(declaration(&words.join(" ")));
        }
    }
    found
}

/// The next semicolon or opening brace outside of parentheses.
fn end_of_statement(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.char_indices().find_map(|(at, c)| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        (depth <= 0 && ['{', ';'].contains(&c)).then_some(at)
    })
}

/// `public: TRT_DEPRECATED virtual bool f(int32_t x) const noexcept = 0` → `bool f(int32_t x)`.
fn declaration(statement: &str) -> String {
    let close = statement.rfind(')').map_or(statement.len(), |at| at + 1);
    let mut text = &statement[..close];
    for label in ["public:", "protected:", "private:"] {
        text = text.rsplit_once(label).map_or(text, |(_, after)| after);
    }
    let kept =
        text.split(' ').filter(|word| !["virtual", "TRT_DEPRECATED", "TRT_NODISCARD", "inline", ""].contains(word));
    kept.collect::<Vec<_>>().join(" ")
}

/// The table of a class: bases first; an override keeps the slot of what it overrides. A condition ends what is known.
fn table(name: &str, classes: &BTreeMap<String, Class>) -> Result<Vec<String>> {
    let Some(class) = classes.get(name) else { return Err(format!("class {name} is not declared")) };
    let mut slots = Vec::new();
    for base in &class.bases {
        slots = table(base, classes)?;
    }
    let inherited = slots.len();
    for text in &class.methods {
        if text == "#" {
            break;
        }
        if text.starts_with('~') {
            if !slots.iter().any(|slot| slot == DESTRUCTOR) {
                slots.push(DESTRUCTOR.to_owned());
            }
            continue;
        }
        let method = entry(text)?;
        let overrides = |slot: &String| slot.split(' ').next() == method.split(' ').next();
        if !slots[..inherited].iter().any(overrides) {
            slots.push(method);
        }
    }
    Ok(slots)
}

/// `bool setName(char const* name)` → `setName b(p)`.
fn entry(declaration: &str) -> Result<String> {
    let bad = || format!("cannot read `{declaration}`");
    let open = declaration.find('(').ok_or_else(bad)?;
    let close = declaration.rfind(')').ok_or_else(bad)?;
    let head = &declaration[..open];
    let split = head.rfind([' ', '*', '&']).ok_or_else(bad)? + 1;
    let mut name = head[split..].to_owned();
    if declaration.contains("(IPluginCreatorInterface") {
        // Overloaded in 10 with another class of creators, which is the only one in 11.
        name.push_str("Interface");
    }
    let returned = letter(&head[..split]).ok_or_else(bad)?;
    let arguments = declaration[open + 1..close].split(',').filter(|argument| !argument.trim().is_empty());
    let arguments = arguments.map(|argument| {
        let argument = argument.split('=').next().unwrap_or_default();
        match letter(argument)? {
            'D' if !argument.contains('&') => Some('V'),
            other => Some(other),
        }
    });
    let arguments: String = arguments.collect::<Option<_>>().ok_or_else(bad)?;
    Ok(format!("{name} {returned}({arguments})"))
}

/// One letter for one C++ type; argument names may follow it.
fn letter(text: &str) -> Option<char> {
    let plain = text.replace("nvinfer1::", "").replace("const ", "").replace(" const", "");
    let plain = plain.trim();
    let word = plain.split([' ', '*', '&']).next()?;
    let dims = ["Dims", "DimsHW"].contains(&word);
    let pointer = plain.contains(['*', '&', '[']) || ["cudaStream_t", "cudaEvent_t"].contains(&word);
    Some(match word {
        _ if dims && !plain.contains('*') => 'D',
        _ if pointer => 'p',
        // TensorRT's names for `char const*` and `void*`.
        "ErrorDesc" | "PluginLibraryHandle" => 'p',
        "TimingCacheValue" => 'S',
        "Weights" => 'W',
        "InterfaceInfo" => 'I',
        "void" => 'v',
        "bool" => 'b',
        "float" => 'f',
        "double" => 'd',
        "int64_t" | "uint64_t" | "size_t" | "std::size_t" => 'l',
        _ if word.starts_with(char::is_alphabetic) => 'i',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "
        #ifndef NV_H
        #define TWO_LINES(x) \\
            class x
        namespace nvinfer1 {
        class INoCopy; /* class IFake { virtual void f(); }; */
        class VRoot { public: virtual ~VRoot() noexcept = default; };
        //! class IComment { };
        enum class Kind : int32_t { kFIRST = 0, //!< the first, of course
            kSECOND TRT_DEPRECATED_ENUM, kBIT = 1U << 5, kOLD = kSECOND, };
        template <> struct impl::EnumMaxImpl<Kind> { static constexpr int32_t kVALUE = 3; };
        class VEmpty : public VRoot { };
        class VThing : public VRoot {
        public:
            TRT_DEPRECATED virtual bool setKind([[maybe_unused]] Kind kind) noexcept = 0;
            virtual Dims getDims(
                int32_t index, Dims const& dims, Dims byValue = Dims{}) const noexcept = 0;
            virtual char const* getName() const noexcept { return mName; }
            int32_t mine() { if (x) { return 1; } return 0; }
            virtual void setWeights(Weights w, nvinfer1::ITensor* t, int64_t n) noexcept = 0;
        #if ENABLED
            virtual void maybe() = 0;
        #endif
        };
        class IBase { protected: virtual ~IBase() = default; public: virtual InterfaceInfo getInfo() const = 0; };
        class ILogger : public v_1_0::IBase {
            enum class Severity { kERROR = -1, kINFO };
            virtual void call(Severity s) noexcept = 0;
            InterfaceInfo getInfo() const noexcept override { return {}; }
            ~ILogger() override = default;
        };
        }
        #endif";

    fn facts(header: &str) -> Result<Facts> {
        let folder = std::env::temp_dir().join(format!("abi-headers-{}-{}", std::process::id(), header.len()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("NvInfer.h"), header).unwrap();
        let facts = read(&folder, "12.0");
        std::fs::remove_dir_all(&folder).unwrap();
        facts
    }

    #[test]
    fn tables_and_numbers_are_read() {
        let facts = facts(HEADER).unwrap();
        let thing = ["~", "setKind b(i)", "getDims D(iDV)", "getName p()", "setWeights v(Wpl)"];
        assert_eq!(facts.classes["VThing"], thing);
        assert_eq!(facts.classes["ILogger"], ["~", "getInfo I()", "call v(i)"]);
        assert_eq!(facts.classes.len(), 2);
        let number = |name: &str, value: &str| facts.enums[name][value];
        assert_eq!(["kFIRST", "kSECOND", "kBIT", "kOLD"].map(|value| number("Kind", value)), [0, 1, 32, 1]);
        assert_eq!(number("Severity", "kINFO"), 0);
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        assert!(facts("int x;").unwrap_err().contains("no class of TensorRT"));
        assert!(facts("class VThing { virtual void f(").unwrap_err().contains("not closed"));
        assert!(facts("enum class E { kA = sizeof(int) };").unwrap_err().contains("cannot read the value of kA"));
        assert!(facts("class VThing : public VGone { virtual void f(); };").unwrap_err().contains("class VGone"));
    }
}
