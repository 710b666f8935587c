//! Names: from C++ camel case to Rust snake case.

pub(super) fn screaming(name: &str) -> String {
    snake(name).to_uppercase()
}

/// `addMatrixMultiply` → `add_matrix_multiply`, `getNbIOTensors` → `get_nb_io_tensors`.
pub(super) fn snake(name: &str) -> String {
    let mut name = name.to_owned();
    for (spelled, apart) in APART {
        name = name.replace(spelled, apart);
    }
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (i, c) in chars.iter().enumerate() {
        let after_lower = i > 0 && (chars[i - 1].is_lowercase() || chars[i - 1].is_ascii_digit());
        let before_lower = chars.get(i + 1).is_some_and(|n| n.is_lowercase());
        let inside = i > 0 && chars[i - 1].is_uppercase() && before_lower;
        if c.is_uppercase() && (after_lower || inside) {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    if out == "loop" { "loop_".into() } else { out }
}

/// Spellings whose words capital letters alone do not separate.
const APART: [(&str, &str); 5] =
    [("ReLU", "Relu"), ("MoE", "Moe"), ("TopK", "Topk"), ("NMSV2", "Nms_V2"), ("PImpl", "Pimpl")];
