//! Reading C++ declarations: a class's virtual methods in slot order, each with its name and its signature in letters.

use serde_json::Value;

use super::Result;

/// One virtual method as one version declares it.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Method {
    pub name: String,
    /// `p` pointer or reference, `i` 32-bit integer or enum, `l` 64-bit integer, `b` bool, `f` float, `d` double,
    /// `D` Dims, `W` Weights by value, `I` InterfaceInfo, `S` another struct, `v` nothing; return type first, then arguments.
    pub signature: String,
    /// `Dims` arguments travel by value (8.x) rather than by reference.
    pub dims_by_value: bool,
}

/// A V class's table: two destructors, then its methods. A conditional declaration ends what is known.
pub(super) fn own_methods(declared: &Value) -> Result<Vec<Method>> {
    let mut slots = destructor();
    for text in strings(declared)? {
        if text.contains('#') {
            break;
        }
        slots.push(parse(&text)?);
    }
    Ok(slots)
}

fn destructor() -> Vec<Method> {
    ["completeDestructor", "deletingDestructor"]
        .map(|name| Method { name: name.into(), signature: "v()".into(), dims_by_value: false })
        .to_vec()
}

/// The table of an interface that we implement: bases first; an override keeps the slot of what it overrides.
pub(super) fn callback_slots(version: &Value, interface: &str) -> Option<Result<Vec<Method>>> {
    let class = version["interfaces"].get(interface)?;
    Some(inherit(version, class))
}

fn inherit(version: &Value, class: &Value) -> Result<Vec<Method>> {
    let mut slots = Vec::new();
    for base in strings(&class["bases"])? {
        slots = inherit(version, &version["interfaces"][base.as_str()])?;
    }
    let inherited = slots.len();
    for text in strings(&class["virtual"])? {
        if text.starts_with('~') {
            if !slots.iter().any(|m: &Method| m.name == "deletingDestructor") {
                slots.extend(destructor());
            }
            continue;
        }
        let mut method = parse(&text)?;
        if text.contains("(IPluginCreatorInterface") {
            // Overloaded in 10 with another class of creators, which is the only one in 11.
            method.name.push_str("Interface");
        }
        let overridden = slots[..inherited].iter().any(|m| m.name == method.name);
        if !overridden {
            slots.push(method);
        }
    }
    Ok(slots)
}

fn strings(list: &Value) -> Result<Vec<String>> {
    list.as_array()
        .ok_or("expected a list of declarations")?
        .iter()
        .map(|v| Ok(v.as_str().ok_or("expected text")?.to_owned()))
        .collect()
}

fn parse(declaration: &str) -> Result<Method> {
    let bad = || format!("cannot read `{declaration}`");
    let text = declaration.split_whitespace().collect::<Vec<_>>().join(" ");
    let open = text.find('(').ok_or_else(bad)?;
    let close = text.rfind(')').ok_or_else(bad)?;
    let head = &text[..open];
    let split = head.rfind([' ', '*', '&']).ok_or_else(bad)? + 1;
    let mut signature = code(&head[..split]).ok_or_else(bad)?.to_string();
    let mut dims_by_value = false;
    signature.push('(');
    for argument in text[open + 1..close].split(',').filter(|a| !a.trim().is_empty()) {
        let argument = argument.split('=').next().unwrap_or_default();
        let letter = code(argument).ok_or_else(bad)?;
        dims_by_value |= letter == 'D' && !argument.contains('&');
        signature.push(letter);
    }
    signature.push(')');
    Ok(Method { name: head[split..].to_owned(), signature, dims_by_value })
}

/// One letter for one C++ type; argument names may follow it.
fn code(text: &str) -> Option<char> {
    let plain = text.replace("nvinfer1::", "").replace("const ", "").replace(" const", "");
    let plain = plain.trim();
    let word = plain.split([' ', '*', '&']).next()?;
    let dims = word == "Dims" || word == "DimsHW";
    let pointer = plain.contains(['*', '&', '[']) || word == "cudaStream_t" || word == "cudaEvent_t";
    Some(match word {
        _ if dims && !plain.contains('*') => 'D',
        _ if pointer => 'p',
        // TensorRT's own name for `char const*`.
        "ErrorDesc" => 'p',
        // `void*`.
        "PluginLibraryHandle" => 'p',
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
