//! Splits a JSON array into its elements, byte by byte, so that a long array is never completely in memory.
//!
//! Only the brackets outside strings are counted. Invalid JSON is found later, when the element is parsed. So
//! an invalid element with balanced brackets does not affect the other elements.

/// The role of a byte in an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRole {
    /// The byte is between two elements.
    Between,
    /// The byte belongs to an element.
    Element,
    /// The byte is a comma after an element.
    ElementEnd,
    /// The byte is the closing bracket of the array, directly after the last element.
    LastElementEnd,
    /// The byte is the closing bracket of the array, not directly after an element.
    ArrayEnd,
}

/// The state of a scan through an array, after its opening bracket.
#[derive(Clone, Debug, Default)]
pub struct Elements {
    depth: u64,
    is_in_string: bool,
    is_escaped: bool,
    is_in_element: bool,
}

impl Elements {
    /// Takes the next byte and returns its role.
    pub fn role_of(&mut self, byte: u8) -> ByteRole {
        if self.is_in_string {
            self.is_in_string = byte != b'"' || self.is_escaped;
            self.is_escaped = byte == b'\\' && !self.is_escaped;
            return ByteRole::Element;
        }
        match byte {
            b',' | b']' if self.depth == 0 => return self.end(byte == b']'),
            b' ' | b'\t' | b'\r' | b'\n' if !self.is_in_element => return ByteRole::Between,
            b'"' => self.is_in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.is_in_element = true;
        ByteRole::Element
    }

    /// Returns true if the scan is inside an element.
    pub fn is_in_element(&self) -> bool {
        self.is_in_element
    }

    /// Returns the number of open brackets inside the current element.
    pub fn depth(&self) -> u64 {
        self.depth
    }

    fn end(&mut self, is_array_end: bool) -> ByteRole {
        match (std::mem::take(&mut self.is_in_element), is_array_end) {
            (true, true) => ByteRole::LastElementEnd,
            (true, false) => ByteRole::ElementEnd,
            (false, true) => ByteRole::ArrayEnd,
            (false, false) => ByteRole::Between,
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
            match elements.role_of(byte) {
                ByteRole::Element => found.last_mut().unwrap().push(char::from(byte)),
                ByteRole::ElementEnd => found.push(String::new()),
                ByteRole::Between | ByteRole::LastElementEnd | ByteRole::ArrayEnd => {}
            }
        }
        let found: Vec<&str> =
            found.iter().map(|text| text.trim_end()).filter(|text| !text.is_empty()).collect();
        assert_eq!(found, expected, "{array}");
    }

    #[test]
    fn elements_end_at_commas_outside_strings_and_brackets() {
        check("]", &[]);
        check(r#" {"a":[1,2]} , {"b":{}} ]"#, &[r#"{"a":[1,2]}"#, r#"{"b":{}}"#]);
        check(r#"{"a":"],}\"]"},{"b":"\\"},1]"#, &[r#"{"a":"],}\"]"}"#, r#"{"b":"\\"}"#, "1"]);
        check(r#"{"a":},,{"b":1},]"#, &[r#"{"a":}"#, r#"{"b":1}"#]);
        check("oops, {}]", &["oops", "{}"]);
    }
}
