//! A page of tables that looks like a report.

use super::document;
use maud::html;

/// A page of tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// The title.
    pub title: String,
    /// Lines under it.
    pub lines: Vec<String>,
    /// The tables.
    pub tables: Vec<Table>,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Its heading.
    pub name: String,
    /// The headings of its columns.
    pub headings: Vec<String>,
    /// Its rows, a text for each column.
    pub rows: Vec<Vec<String>>,
}

impl Tables {
    /// The page as one HTML file.
    pub fn to_html(&self) -> String {
        let body = html! {
            header {
                h1 { (self.title) }
                @for line in &self.lines { p class="sub" { (line) } }
            }
            main { @for table in &self.tables {
                section {
                    h2 { (table.name) }
                    div class="scroll" { table {
                        thead { tr { @for heading in &table.headings { th { (heading) } } } }
                        tbody { @for row in &table.rows { tr { @for cell in row { td { (cell) } } } } }
                    } }
                }
            } }
        };
        document(&self.title, &body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        let hostile = "<script>alert(1)</script>".to_owned();
        let table = Table { name: hostile.clone(), headings: vec![hostile.clone()], rows: vec![vec![hostile.clone()]] };
        let page = Tables { title: hostile.clone(), lines: vec![hostile.clone()], tables: vec![table] }.to_html();
        assert!(!page.contains(&hostile));
        assert_eq!(page.matches("&lt;script&gt;alert(1)").count(), 6);
    }
}
