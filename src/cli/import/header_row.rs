//! Header row of a CSV file: the columns and the separator between them.

use std::fmt::Write as _;

use souk_domain::text::quoted;

/// Possible separators, the most usual one first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Maximum number of unknown columns listed in a message.
const UNKNOWN_SHOWN_MAX: usize = 5;
/// List of all columns, for messages.
const KNOWN: &str = "sku, name, description, category, price, currency, active, attr.NAME";

/// Column of a CSV file of products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// SKU of the variant.
    Sku,
    /// Name of the product.
    Name,
    /// Description of the product.
    Description,
    /// Category of the product.
    Category,
    /// Price of the variant.
    Price,
    /// Currency of the price.
    Currency,
    /// True if the product is on sale.
    Active,
    /// Attribute of the product, with its name.
    Attribute(String),
    /// Column without a name. All its cells must be empty.
    Unnamed,
}

impl Column {
    /// Finds the column with a name. Upper and lower case are equal, and blanks around the name are ignored.
    fn of(name: &str) -> Option<Self> {
        let name = name.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        Some(match name.to_lowercase().as_str() {
            "" => Self::Unnamed,
            "sku" => Self::Sku,
            "name" => Self::Name,
            "description" => Self::Description,
            "category" => Self::Category,
            "price" => Self::Price,
            "currency" => Self::Currency,
            "active" => Self::Active,
            lower if lower.starts_with("attr.") => {
                let attribute = name.get("attr.".len()..)?.trim();
                if attribute.is_empty() {
                    return None;
                }
                Self::Attribute(attribute.to_owned())
            }
            _ => return None,
        })
    }
}

/// Reads the columns of a header. The error lists all unknown columns together.
pub fn columns(cells: &[String]) -> Result<Vec<Column>, String> {
    let mut columns: Vec<Column> = Vec::new();
    let mut unknown = Vec::new();
    for (index, cell) in cells.iter().enumerate() {
        let Some(column) = Column::of(cell) else {
            unknown.push(format!("`{}`", quoted(cell)));
            continue;
        };
        let before = columns.iter().position(|known| *known == column && column != Column::Unnamed);
        if before.is_some() {
            return Err(format!(
                "column `{}` occurs twice; the second is column {}",
                quoted(cell.trim()),
                index + 1
            ));
        }
        columns.push(column);
    }
    if !unknown.is_empty() {
        let mut message = unknown.iter().take(UNKNOWN_SHOWN_MAX).cloned().collect::<Vec<_>>().join(", ");
        if unknown.len() > UNKNOWN_SHOWN_MAX {
            // Writing to a string never fails.
            let _ = write!(message, " and {} more", unknown.len() - UNKNOWN_SHOWN_MAX);
        }
        return Err(format!("unknown columns: {message}; known columns are {KNOWN}"));
    }
    if !columns.contains(&Column::Sku) {
        return Err(format!("column `sku` is missing; known columns are {KNOWN}"));
    }
    Ok(columns)
}

/// Guesses the separator of a header: the one that gives the most known columns.
pub fn separator(head: &str) -> u8 {
    let known = |separator: u8| {
        let cells = head.split(char::from(separator)).map(|cell| cell.trim().trim_matches('"'));
        cells.filter(|cell| !matches!(Column::of(cell), None | Some(Column::Unnamed))).count()
    };
    // `max_by_key` returns the last of several equal items, so the order is reversed.
    SEPARATORS.into_iter().rev().max_by_key(|separator| known(*separator)).unwrap_or(b',')
}

/// Returns the separator from a line such as `sep=;`, which spreadsheet programs write before the header.
pub fn declared_separator(line: &str) -> Option<u8> {
    let line = line.trim().trim_matches('"');
    let sign = line.strip_prefix("sep=").or_else(|| line.strip_prefix("SEP="))?;
    SEPARATORS.into_iter().find(|separator| sign.as_bytes() == [*separator])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str) -> Result<Vec<Column>, String> {
        columns(&head.split(',').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn column_names_may_have_capitals_and_blanks() {
        let expected = vec![Column::Sku, Column::Price, Column::Attribute("Colour".into()), Column::Unnamed];
        assert_eq!(read(" SKU ,Price,ATTR. Colour,"), Ok(expected));
        assert_eq!(read("\u{feff}sku"), Ok(vec![Column::Sku]));
    }

    #[test]
    fn a_wrong_header_is_refused_with_one_message() {
        for (head, words) in [
            ("sku,price,Price", "column `Price` occurs twice"),
            ("sku,attr.a,attr.a ", "column `attr.a` occurs twice"),
            ("sku,colour,weight", "unknown columns: `colour`, `weight`; known columns are sku, name"),
            ("sku,attr.", "unknown columns: `attr.`"),
            ("name,price", "column `sku` is missing"),
            ("a,b,c,d,e,f,g", "`e` and 2 more"),
        ] {
            let message = read(head).unwrap_err();
            assert!(message.contains(words), "{head}: {message}");
        }
        assert!(read(&"x".repeat(100_000)).unwrap_err().len() < 400);
        // Attribute names are case-sensitive, as in the shop.
        assert!(read("sku,attr.a,attr.A").is_ok());
    }

    #[test]
    fn the_separator_is_the_one_that_fits_the_header() {
        for (head, expected) in [
            ("sku,name,price", b','),
            ("SKU;Name;Price", b';'),
            ("\"sku\";\"attr.a,b\";\"price\"", b';'),
            ("sku\tname", b'\t'),
            ("sku|name", b'|'),
            ("sku", b','),
            ("a;b;c", b','),
        ] {
            assert_eq!(char::from(separator(head)), char::from(expected), "{head}");
        }
        assert_eq!(declared_separator("sep=;\r"), Some(b';'));
        assert_eq!(declared_separator("sku;name"), None);
    }
}
