//! Sums of products over labelled axes.
//!
//! | schema | layers |
//! |---|---|
//! | `einsum(str equation, Tensor[] tensors, *, int[]? path)` | Einsum for two operands; Reduce and Shuffle for one |
//! | `tensordot(Tensor self, Tensor other, int[] dims_self, int[] dims_other)` | Shuffle, MatrixMultiply |
//!
//! Dtypes: one float type for all operands; integers become products and sums of elements. Every size may be
//! symbolic, but not along a diagonal (a label that occurs twice in one operand). TensorRT takes two operands
//! without ellipsis or diagonals: ellipses are spelled out, diagonals are sliced, and more operands are contracted
//! from left to right (`path` is only the order in which PyTorch would).

use super::{Operator, Outputs, linear, operator};
use crate::builder::unsupported;
use crate::call::normalize;
use crate::{Builder, Call, Error, Result};
use dims::Dim;
use network::{Op, ReduceOperation, TensorId};

pub(super) const OPERATORS: &[Operator] = &[
    operator("aten.einsum.default", einsum, "Einsum", 1e-5),
    operator("aten.tensordot.default", tensordot, "Shuffle, MatrixMultiply", 1e-5),
];

/// The name of an axis: a letter of the equation, or a place in its ellipsis.
type Label = char;

/// A tensor with a label for each axis.
struct Operand {
    tensor: TensorId,
    labels: Vec<Label>,
}

fn einsum(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    Ok(einsum_of(b, call.tensors("tensors")?, call.string("equation")?)?.into())
}

/// The Einstein summation of real tensors.
pub(super) fn einsum_of(b: &mut Builder, tensors: Vec<TensorId>, equation: &str) -> Result<TensorId> {
    let ranks: Vec<usize> = tensors.iter().map(|t| b.rank(*t)).collect();
    let (terms, output) = parse(equation, &ranks)?;
    let mut operands = Vec::with_capacity(tensors.len());
    for (tensor, labels) in tensors.into_iter().zip(terms) {
        operands.push(diagonal(b, Operand { tensor, labels })?);
    }
    let mut rest = operands.into_iter();
    let Some(mut result) = rest.next() else { return unsupported("an einsum of no tensors") };
    while let Some(next) = rest.next() {
        let later = rest.as_slice();
        let wanted = |label: &Label| output.contains(label) || later.iter().any(|o| o.labels.contains(label));
        result = contract(b, result, next, &wanted, &output)?;
    }
    let result = sum_out(b, result, &|label| output.contains(label))?;
    arrange(b, &result, &output)
}

/// The labels of each operand and of the output. Places in an ellipsis are labelled from its end.
fn parse(equation: &str, ranks: &[usize]) -> Result<(Vec<Vec<Label>>, Vec<Label>)> {
    let text: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (inputs, output) = text.split_once("->").map_or((text.as_str(), None), |(i, o)| (i, Some(o)));
    let terms: Vec<&str> = inputs.split(',').collect();
    if terms.len() != ranks.len() {
        return Err(Error::Converter {
            problem: format!("`{equation}` is for {} tensors, not {}", terms.len(), ranks.len()),
        });
    }
    let hidden = |term: &str, rank: usize| {
        if term.contains("...") { rank.saturating_sub(term.chars().count() - 3) } else { 0 }
    };
    let widest = terms.iter().zip(ranks).map(|(term, rank)| hidden(term, *rank)).max().unwrap_or(0);
    let spell = |term: &str, places: usize| -> Vec<Label> {
        let ellipsis: String = (0..places).rev().filter_map(|k| char::from_u32(0xE000 + k as u32)).collect();
        term.replacen("...", &ellipsis, 1).chars().collect()
    };
    let labels: Vec<Vec<Label>> = terms.iter().zip(ranks).map(|(t, r)| spell(t, hidden(t, *r))).collect();
    if let Some((term, rank)) = terms.iter().zip(ranks).zip(&labels).find(|((_, r), l)| l.len() != **r).map(|(t, _)| t)
    {
        return Err(Error::Converter {
            problem: format!("`{term}` in `{equation}` does not fit a tensor of rank {rank}"),
        });
    }
    let output = match output {
        Some(output) => spell(output, if output.contains("...") { widest } else { 0 }),
        None => implicit_output(&labels, &spell("...", widest)),
    };
    Ok((labels, output))
}

/// Without `->`: the ellipsis, then the letters that occur once, in alphabetical order.
fn implicit_output(terms: &[Vec<Label>], ellipsis: &[Label]) -> Vec<Label> {
    let all: Vec<Label> = terms.concat();
    let once = |label: &Label| all.iter().filter(|l| *l == label).count() == 1;
    let mut letters: Vec<Label> = all.iter().copied().filter(|l| l.is_ascii_alphabetic() && once(l)).collect();
    letters.sort_unstable();
    [ellipsis, letters.as_slice()].concat()
}

/// Keeps the diagonal of axes that share a label: every (n + 1)th element of the two axes joined.
fn diagonal(b: &mut Builder, mut operand: Operand) -> Result<Operand> {
    let repeated = |labels: &[Label]| {
        (1..labels.len()).find_map(|j| labels[..j].iter().position(|l| *l == labels[j]).map(|i| (i, j)))
    };
    while let Some((i, j)) = repeated(&operand.labels) {
        let Some(size) = b.dims(operand.tensor)[i].as_static() else {
            return unsupported(format!(
                "a diagonal (label `{}`) of a size that depends on the input",
                operand.labels[i]
            ));
        };
        let others: Vec<usize> = (0..operand.labels.len()).filter(|k| *k != i && *k != j).collect();
        let tensor = b.permute(operand.tensor, &[others.as_slice(), &[i, j]].concat())?;
        let tensor = b.flatten(tensor, others.len(), others.len() + 1)?;
        let tensor = b.slice_axis(tensor, others.len(), Dim::Static(0), Dim::Static(size), size + 1)?;
        let labels = others.iter().chain([&i]).map(|k| operand.labels[*k]).collect();
        operand = Operand { tensor, labels };
    }
    Ok(operand)
}

/// Sums the axes whose labels nothing wants any more.
fn sum_out(b: &mut Builder, operand: Operand, wanted: &dyn Fn(&Label) -> bool) -> Result<Operand> {
    let axes: Vec<usize> = (0..operand.labels.len()).filter(|k| !wanted(&operand.labels[*k])).collect();
    let tensor = b.reduce(ReduceOperation::Sum, operand.tensor, &axes, false)?;
    Ok(Operand { tensor, labels: operand.labels.into_iter().filter(|l| wanted(l)).collect() })
}

/// Removes axes of size 1 that would have to broadcast against the other operand.
fn drop_broadcast(b: &mut Builder, operand: &Operand, other: &Operand) -> Result<Operand> {
    let (mine, theirs) = (b.dims(operand.tensor), b.dims(other.tensor));
    let broadcast = |k: &usize| {
        let place = other.labels.iter().position(|l| *l == operand.labels[*k]);
        mine[*k].is(1) && place.is_some_and(|p| !theirs[p].is(1))
    };
    let axes: Vec<usize> = (0..operand.labels.len()).filter(broadcast).collect();
    let tensor = b.squeeze(operand.tensor, &axes)?;
    let labels = operand.labels.iter().enumerate().filter(|(k, _)| !axes.contains(k)).map(|(_, l)| *l).collect();
    Ok(Operand { tensor, labels })
}

/// The product of two operands, summed over the labels that nothing wants any more.
fn contract(
    b: &mut Builder,
    x: Operand,
    y: Operand,
    wanted: &dyn Fn(&Label) -> bool,
    output: &[Label],
) -> Result<Operand> {
    let (x, y) = (drop_broadcast(b, &x, &y)?, drop_broadcast(b, &y, &x)?);
    let x = sum_out(b, x, &|l| wanted(l) || y.labels.contains(l))?;
    let y = sum_out(b, y, &|l| wanted(l) || x.labels.contains(l))?;
    let mut all = x.labels.clone();
    all.extend(y.labels.iter().filter(|l| !x.labels.contains(l)));
    // As many as possible already in the output's order.
    let mut kept: Vec<Label> = output.iter().copied().filter(|l| all.contains(l)).collect();
    kept.extend(all.iter().filter(|l| wanted(l) && !output.contains(l)));
    let summed: Vec<Label> = all.into_iter().filter(|l| !kept.contains(l)).collect();
    if !summed.is_empty() && b.dtype(x.tensor).is_float() {
        let equation = equation([&x.labels, &y.labels, &kept]);
        let tensor = b.add(Op::Einsum { equation }, &[x.tensor, y.tensor])?;
        return Ok(Operand { tensor, labels: kept });
    }
    let order = [kept.as_slice(), &summed].concat();
    let (left, right) = (arrange(b, &x, &order)?, arrange(b, &y, &order)?);
    let product = b.prod(left, right)?;
    let axes: Vec<usize> = (kept.len()..order.len()).collect();
    let tensor = b.reduce(ReduceOperation::Sum, product, &axes, false)?;
    Ok(Operand { tensor, labels: kept })
}

/// The equation with lower-case letters in order of first use.
fn equation([x, y, output]: [&[Label]; 3]) -> String {
    let mut seen: Vec<Label> = Vec::new();
    let mut spell = |labels: &[Label]| -> String {
        let letter = |label: &Label| {
            let place = seen.iter().position(|s| s == label).unwrap_or_else(|| {
                seen.push(*label);
                seen.len() - 1
            });
            char::from(b'a' + (place % 26) as u8)
        };
        labels.iter().map(letter).collect()
    };
    format!("{},{}->{}", spell(x), spell(y), spell(output))
}

/// The tensor with its axes in this order, of size 1 where it lacks a label.
fn arrange(b: &mut Builder, operand: &Operand, order: &[Label]) -> Result<TensorId> {
    let present: Vec<usize> = order.iter().filter_map(|l| operand.labels.iter().position(|o| o == l)).collect();
    let tensor = b.permute(operand.tensor, &present)?;
    let missing: Vec<usize> = (0..order.len()).filter(|k| !operand.labels.contains(&order[*k])).collect();
    b.unsqueeze(tensor, &missing)
}

/// Contracts pairs of axes: both tensors become matrices.
fn tensordot(b: &mut Builder, call: &Call<'_>) -> Result<Outputs> {
    let (mut x, mut y) = (call.tensor("self")?, call.tensor("other")?);
    let axes = |name: &str, rank: usize| -> Result<Vec<usize>> {
        call.ints(name)?.into_iter().map(|axis| normalize(axis, rank)).collect()
    };
    let (left, right) = (axes("dims_self", b.rank(x))?, axes("dims_other", b.rank(y))?);
    for (i, j) in left.iter().zip(&right) {
        // A size of 1 broadcasts: the other side is summed.
        match (b.dims(x)[*i].is(1), b.dims(y)[*j].is(1)) {
            (true, false) => y = b.reduce(ReduceOperation::Sum, y, &[*j], true)?,
            (false, true) => x = b.reduce(ReduceOperation::Sum, x, &[*i], true)?,
            _ => {}
        }
    }
    let x = as_matrix(b, x, &left, true)?;
    let y = as_matrix(b, y, &right, false)?;
    let product = linear::multiply(b, x, y)?;
    Ok(b.reshape(product, call.output_dims(0)?)?.into())
}

/// Free axes and contracted axes, each joined to one; the free ones first or last.
fn as_matrix(b: &mut Builder, x: TensorId, contracted: &[usize], free_first: bool) -> Result<TensorId> {
    let dims = b.dims(x);
    let free: Vec<usize> = (0..dims.len()).filter(|k| !contracted.contains(k)).collect();
    let size = |axes: &[usize]| Dim::product(axes.iter().map(|k| &dims[*k]));
    let (order, sizes) = if free_first {
        ([free.as_slice(), contracted].concat(), [size(&free), size(contracted)])
    } else {
        ([contracted, free.as_slice()].concat(), [size(contracted), size(&free)])
    };
    let x = b.permute(x, &order)?;
    b.reshape(x, &sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(equation: &str, ranks: &[usize]) -> (Vec<String>, String) {
        let (terms, output) = parse(equation, ranks).unwrap();
        let show = |labels: &Vec<Label>| {
            labels
                .iter()
                .map(|l| if *l as u32 >= 0xE000 { (b'0' + (*l as u32 - 0xE000) as u8) as char } else { *l })
                .collect()
        };
        (terms.iter().map(show).collect(), show(&output))
    }

    #[test]
    fn equations_are_spelled_out() {
        assert_eq!(text("ij, jk -> ki", &[2, 2]), (vec!["ij".into(), "jk".into()], "ki".into()));
        assert_eq!(text("ba,cb", &[2, 2]), (vec!["ba".into(), "cb".into()], "ac".into()), "alphabetical, once only");
        assert_eq!(text("a...i,...i->...a", &[4, 2]), (vec!["a10i".into(), "0i".into()], "10a".into()));
        assert_eq!(text("...i,i", &[3, 1]), (vec!["10i".into(), "i".into()], "10".into()));
        assert_eq!(text("bB->", &[2]), (vec!["bB".into()], String::new()));
        assert!(parse("ij,jk", &[2]).is_err());
        assert!(parse("ij", &[3]).is_err());
    }

    #[test]
    fn letters_are_renamed_in_order_of_use() {
        assert_eq!(equation([&['Q', 'z'], &['z', '\u{E000}'], &['\u{E000}', 'Q']]), "ab,bc->ca");
    }
}
