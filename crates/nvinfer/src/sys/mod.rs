//! What TensorRT's objects look like in memory: layouts, and slot and enum numbers by version.
//!
//! The lowest of the three layers. It holds facts and the look-up from a method's name to its slot in the loaded
//! version; it calls nothing and knows no errors but "not in this version". `tables.rs` and `enums.rs` are generated
//! from `facts/` (`cargo run -p xtask -- abi`), the rest is written by hand.

pub mod layout;

use crate::version::{Family, Version};

/// One method or enum value in one family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cell {
    /// Slot of a method, number of an enum value.
    number: i32,
    /// `Dims` arguments travel by value.
    by_value: bool,
    /// Version within the family that brought it; 0 when the family always had it.
    since: u32,
}

/// Not in this family.
pub const NOWHERE: Cell = Cell { number: -1, by_value: false, since: 0 };

/// In this family from its first version on.
pub const fn now(number: i32) -> Cell {
    since(number, 0)
}

/// As [`now`], with `Dims` arguments passed by value.
pub const fn value(number: i32) -> Cell {
    Cell { number, by_value: true, since: 0 }
}

/// In this family since a version (major·10000 + minor·100 + patch).
pub const fn since(number: i32, since: u32) -> Cell {
    Cell { number, by_value: false, since }
}

/// One virtual method, over all families.
#[derive(Debug)]
pub struct Method {
    /// Public class, such as `INetworkDefinition`.
    pub interface: &'static str,
    /// Method name, such as `addInput`.
    pub name: &'static str,
    /// Types of the return value and arguments, one letter each (see `tables.rs`).
    #[cfg_attr(not(test), allow(dead_code, reason = "a test compares it with the declared calls"))]
    pub signature: &'static str,
    /// One cell a family, in the order of [`Family::ALL`].
    cells: &'static [Cell],
}

/// One enum value, over all families.
#[derive(Debug)]
pub struct Number {
    /// Enum name, such as `DataType`.
    pub of: &'static str,
    /// Value name, such as `kFLOAT`.
    pub name: &'static str,
    /// One cell a family, in the order of [`Family::ALL`].
    cells: &'static [Cell],
}

/// Where a method is in the loaded version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    /// Index into the virtual table.
    pub index: usize,
    /// `Dims` arguments travel by value.
    pub by_value: bool,
}

impl Method {
    /// The slot in `version`; `None` when that version does not have the method.
    pub fn slot(&self, version: Version) -> Option<Slot> {
        let cell = lookup(self.cells, version)?;
        Some(Slot { index: usize::try_from(cell.number).ok()?, by_value: cell.by_value })
    }

    /// `INetworkDefinition::addInput`.
    pub fn full_name(&self) -> String {
        format!("{}::{}", self.interface, self.name)
    }

    /// The versions that have the method, in words.
    pub fn availability(&self) -> String {
        availability(self.cells)
    }
}

impl Number {
    /// The number in `version`; `None` when that version does not have the value.
    pub fn of(&self, version: Version) -> Option<i32> {
        lookup(self.cells, version).map(|cell| cell.number)
    }

    /// `DataType::kFLOAT`.
    pub fn full_name(&self) -> String {
        format!("{}::{}", self.of, self.name)
    }

    /// The versions that have the value, in words.
    pub fn availability(&self) -> String {
        availability(self.cells)
    }
}

/// The cell of a version. A family without a column (its tables are not generated yet) has nothing.
fn lookup(cells: &[Cell], version: Version) -> Option<Cell> {
    let cell = *cells.get(version.family() as usize)?;
    (cell != NOWHERE && version.encoded() >= cell.since).then_some(cell)
}

/// `TensorRT 10.7 and later, TensorRT-RTX 1.3 to 1.4`: runs of neighboring families, product by product.
fn availability(cells: &[Cell]) -> String {
    let mut runs: Vec<(String, Family)> = Vec::new();
    for (family, cell) in Family::ALL.iter().copied().zip(cells) {
        if *cell == NOWHERE {
            continue;
        }
        match runs.last_mut() {
            Some((_, last)) if last.next() == Some(family) && cell.since == 0 => *last = family,
            _ => runs.push((family.first(cell.since), family)),
        }
    }
    let words = runs.into_iter().map(|(first, last)| match last.last() {
        None => format!("{} {first} and later", last.product()),
        Some(end) if end == first => format!("{} {first}", last.product()),
        Some(end) => format!("{} {first} to {end}", last.product()),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Declares one class's methods.
macro_rules! class {
    ($module:ident = $interface:literal; $($constant:ident $name:literal $signature:literal $cells:expr;)*) => {
        pub mod $module {
            use super::{__, Method, n, s, v};
            $(pub const $constant: Method = Method {
                interface: $interface,
                name: $name,
                signature: $signature,
                cells: &$cells,
            };)*
            pub const ALL: &[Method] = &[$($constant),*];
        }
    };
}

/// Declares one enum's numbers.
macro_rules! numbers {
    ($module:ident = $name:literal; $($constant:ident $key:literal $cells:expr;)*) => {
        pub mod $module {
            use super::{__, Number, n, s};
            $(pub const $constant: Number = Number { of: $name, name: $key, cells: &$cells };)*
            pub const ALL: &[Number] = &[$($constant),*];
        }
    };
}

#[rustfmt::skip]
#[allow(unused_imports, dead_code, reason = "the tables list whole classes; not every call is in use")]
pub mod tables;

#[rustfmt::skip]
#[allow(unused_imports, dead_code, reason = "the tables list whole enums; not every value is in use")]
pub mod enums;

#[cfg(test)]
mod tests;
