//! The bounds of the elements of a JSON array, found byte by byte, so that a long array is never held whole.
//!
//! Brackets outside texts are counted, nothing else is checked: an element that is no JSON is found to be so when it
//! is read. So a broken element with balanced brackets spoils no other.

/// The part of an array that a byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It stands between two elements.
    Between,
    /// It belongs to an element.
    Element,
    /// It ends an element and is none of it.
    ElementEnd,
    /// It ends the last element and the array, and is no part of the element.
    LastElementEnd,
    /// It ends the array.
    ArrayEnd,
}

/// Reads an array behind its opening bracket.
#[derive(Clone, Debug, Default)]
pub struct Elements {
    depth: u64,
    is_in_text: bool,
    is_escaped: bool,
    is_in_element: bool,
}

impl Elements {
    /// Tells what the next byte is.
    pub fn part(&mut self, byte: u8) -> Part {
        if self.is_in_text {
            self.is_in_text = byte != b'"' || self.is_escaped;
            self.is_escaped = byte == b'\\' && !self.is_escaped;
            return Part::Element;
        }
        match byte {
            b',' | b']' if self.depth == 0 => return self.end(byte == b']'),
            b' ' | b'\t' | b'\r' | b'\n' if !self.is_in_element => return Part::Between,
            b'"' => self.is_in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.is_in_element = true;
        Part::Element
    }

    /// True between the first and the last byte of an element.
    pub fn is_in_element(&self) -> bool {
        self.is_in_element
    }

    /// Brackets that are open.
    pub fn depth(&self) -> u64 {
        self.depth
    }

    fn end(&mut self, of_array: bool) -> Part {
        match (std::mem::take(&mut self.is_in_element), of_array) {
            (true, true) => Part::LastElementEnd,
            (true, false) => Part::ElementEnd,
            (false, true) => Part::ArrayEnd,
            (false, false) => Part::Between,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(array: &str, expected: &[&str]) {
        let mut elements = Elements::default();
        let mut found = vec![String::new()];
        for byte in array.bytes() {
            match elements.part(byte) {
                Part::Element => found.last_mut().unwrap().push(char::from(byte)),
                Part::ElementEnd => found.push(String::new()),
                Part::Between | Part::LastElementEnd | Part::ArrayEnd => {}
            }
        }
        let found: Vec<&str> =
            found.iter().map(|text| text.trim_end()).filter(|text| !text.is_empty()).collect();
        assert_eq!(found, expected, "{array}");
    }

    #[test]
    fn elements_end_at_commas_outside_texts_and_brackets() {
        check("]", &[]);
        check(r#" {"a":[1,2]} , {"b":{}} ]"#, &[r#"{"a":[1,2]}"#, r#"{"b":{}}"#]);
        check(r#"{"a":"],}\"]"},{"b":"\\"},1]"#, &[r#"{"a":"],}\"]"}"#, r#"{"b":"\\"}"#, "1"]);
        check(r#"{"a":},,{"b":1},]"#, &[r#"{"a":}"#, r#"{"b":1}"#]);
        check("oops, {}]", &["oops", "{}"]);
    }
}
