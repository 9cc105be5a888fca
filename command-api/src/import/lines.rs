//! Splits the body of an import into lines, or into the elements of a JSON array. The lines or elements are
//! counted before any of them is parsed.

use axum::http::{HeaderMap, header};
use souk_domain::text::quoted;
use souk_http::Problem;

use super::LINES_MAX;
use super::elements::{ByteRole, Elements};

/// The byte order mark that some programs write before UTF-8 text.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Media types of JSON lines. Those of JSON are accepted as well.
const LINE_TYPES: [&str; 5] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/jsonlines",
];

/// A line of a body, or an element of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLine<'a> {
    /// Number of the line in the body, from 1. For an element, the line that it begins on.
    pub number: u64,
    /// First byte in that line, from 1.
    pub column: usize,
    /// Bytes of the line or element, without white space around them.
    pub bytes: &'a [u8],
}

impl BodyLine<'_> {
    /// Changes the line and column in a problem about invalid JSON: the parser counts them from the start of
    /// this line or element, and the client needs those of the body.
    pub fn with_body_place(&self, problem: Problem) -> Problem {
        if problem.code() != "malformed-body" {
            return problem;
        }
        let place = problem.detail().rsplit_once(" at line ").and_then(|(words, place)| {
            let (line, column) = place.split_once(" column ")?;
            let line: u64 = line.parse().ok()?;
            let column: usize = column.parse().ok()?;
            let column = if line == 1 { column + self.column - 1 } else { column };
            Some(format!("{words} at line {}, column {column}", self.number + line.saturating_sub(1)))
        });
        place.map_or(problem, |detail| Problem::new("malformed-body", detail))
    }
}

/// Splits a body into its lines that are not blank, or into the elements of its array.
pub fn split_body(body: &[u8]) -> Result<Vec<BodyLine<'_>>, Problem> {
    let body = body.strip_prefix(BOM).unwrap_or(body);
    let begin = body.iter().position(|byte| !byte.is_ascii_whitespace());
    if let Some(begin) = begin.filter(|begin| body[*begin] == b'[') {
        return split_array(body, begin + 1);
    }
    let lines = (1..).zip(body.split(|byte| *byte == b'\n')).map(|(number, line)| {
        let column = line.len() - line.trim_ascii_start().len() + 1;
        BodyLine { number, column, bytes: line.trim_ascii() }
    });
    let lines: Vec<_> = lines.filter(|line| !line.bytes.is_empty()).take(LINES_MAX + 1).collect();
    if lines.len() > LINES_MAX { Err(too_many()) } else { Ok(lines) }
}

/// Splits an array into its elements. The first byte after the opening bracket is at `array_start`.
fn split_array(body: &[u8], array_start: usize) -> Result<Vec<BodyLine<'_>>, Problem> {
    let mut elements = Elements::default();
    let mut lines = Vec::new();
    let mut number = 1;
    let mut line_begin = 0;
    let mut element = BodyLine { number, column: 1, bytes: &[] };
    let mut begin = array_start;
    for (at, byte) in body.iter().enumerate() {
        if at >= array_start {
            let is_first = !elements.is_in_element();
            match elements.role_of(*byte) {
                ByteRole::Element if is_first => {
                    begin = at;
                    element = BodyLine { number, column: at - line_begin + 1, bytes: &[] };
                }
                ByteRole::Element | ByteRole::Between => {}
                ByteRole::ElementEnd | ByteRole::LastElementEnd if lines.len() == LINES_MAX => {
                    return Err(too_many());
                }
                ByteRole::ElementEnd => {
                    lines.push(BodyLine { bytes: body[begin..at].trim_ascii(), ..element });
                }
                ByteRole::LastElementEnd => {
                    lines.push(BodyLine { bytes: body[begin..at].trim_ascii(), ..element });
                    return check_end(&body[at + 1..], lines);
                }
                ByteRole::ArrayEnd => return check_end(&body[at + 1..], lines),
            }
        }
        if *byte == b'\n' {
            number += 1;
            line_begin = at + 1;
        }
    }
    Err(Problem::new("malformed-body", "the array has no end"))
}

/// Returns the lines if nothing but white space follows the array.
fn check_end<'a>(rest: &[u8], lines: Vec<BodyLine<'a>>) -> Result<Vec<BodyLine<'a>>, Problem> {
    if rest.trim_ascii().is_empty() {
        return Ok(lines);
    }
    Err(Problem::new("malformed-body", "something follows the end of the array"))
}

fn too_many() -> Problem {
    let detail = format!("at most {LINES_MAX} lines are allowed in a request; send the rest in another one");
    Problem::field("", "too-many", detail)
}

/// Refuses a body whose `Content-Type` is not JSON or JSON lines, or has another encoding than UTF-8.
pub fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let refused = |detail: String| Err(Problem::new("unsupported-media-type", detail));
    let value = value.to_str().unwrap_or("");
    let kind = value.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let is_json = kind == "application/json" || kind.ends_with("+json");
    if !is_json && !LINE_TYPES.contains(&kind.as_str()) {
        return refused(format!(
            "send JSON lines with `Content-Type: application/x-ndjson`, not `{}`; for CSV, use `souk import`",
            quoted(&kind)
        ));
    }
    let parameters = value.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    for (name, charset) in parameters {
        let charset = charset.trim().trim_matches('"');
        if name.trim().eq_ignore_ascii_case("charset") && !charset.eq_ignore_ascii_case("utf-8") {
            return refused(format!("the body is in `{}`; only UTF-8 is allowed", quoted(charset)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: &[&str]) {
        let lines = split_body(body.as_bytes()).unwrap();
        let lines: Vec<_> = lines.iter().map(|line| std::str::from_utf8(line.bytes).unwrap()).collect();
        assert_eq!(lines, expected, "{body}");
    }

    #[test]
    fn a_body_is_split_at_line_breaks_and_an_array_between_its_elements() {
        check("", &[]);
        check("{}\r\n\n  {\"a\":1} \n", &["{}", "{\"a\":1}"]);
        check("\u{feff}{}", &["{}"]);
        check("\u{feff}\n[]\n", &[]);
        check("[{\"a\":\n[1,2]},\n {}]", &["{\"a\":\n[1,2]}", "{}"]);
        check("[{},,{},]", &["{}", "{}"]);
    }

    #[test]
    fn lines_and_elements_have_their_line_and_column_in_the_body() {
        for (body, expected) in
            [("{\n\n  x\r\n", &[(1, 1), (3, 3)][..]), ("\n [{},\n\n  {\n},{}]", &[(2, 3), (4, 3), (5, 3)])]
        {
            let lines = split_body(body.as_bytes()).unwrap();
            let places: Vec<_> = lines.iter().map(|line| (line.number, line.column)).collect();
            assert_eq!(places, expected, "{body}");
        }
        let line = BodyLine { number: 7, column: 3, bytes: b"" };
        let placed =
            |detail| line.with_body_place(Problem::new("malformed-body", detail)).detail().to_owned();
        assert_eq!(placed("expected value at line 1 column 1"), "expected value at line 7, column 3");
        assert_eq!(placed("EOF at line 2 column 4"), "EOF at line 8, column 4");
        assert_eq!(placed("byte 9 of the line is not UTF-8"), "byte 9 of the line is not UTF-8");
    }

    #[test]
    fn an_array_without_an_end_is_refused() {
        for (body, words) in [("[{}", "no end"), ("[{},{}] {}", "follows"), ("[\"]", "no end")] {
            let problem = split_body(body.as_bytes()).unwrap_err();
            assert_eq!(problem.code(), "malformed-body", "{body}");
            assert!(problem.detail().contains(words), "{body}: {problem:?}");
        }
    }

    #[test]
    fn a_body_with_too_many_lines_or_elements_is_refused_before_they_are_parsed() {
        let count_lines = |ends: [&str; 3], count: usize| {
            let [open, between, close] = ends;
            split_body(format!("{open}{}{close}", vec!["x"; count].join(between)).as_bytes())
                .map(|lines| lines.len())
        };
        for ends in [["", "\n", ""], ["[", ",", "]"], ["[", ",", ",]"]] {
            assert_eq!(count_lines(ends, LINES_MAX).ok(), Some(LINES_MAX));
            assert!(count_lines(ends, LINES_MAX + 1).is_err_and(|problem| problem.detail().contains("2000")));
        }
    }

    #[test]
    fn content_types_other_than_json_in_utf_8_are_refused() {
        let check = |kind: &'static str| {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().unwrap())]);
            check_content_type(&headers).map_err(|problem| problem.code())
        };
        assert_eq!(check("application/x-ndjson"), Ok(()));
        assert_eq!(check("application/x-ndjson; Charset=\"UTF-8\""), Ok(()));
        assert_eq!(check("Application/JSON"), Ok(()));
        assert_eq!(check("application/jsonl"), Ok(()));
        assert_eq!(check_content_type(&HeaderMap::new()).map_err(|problem| problem.code()), Ok(()));
        for kind in [
            "application/x-ndjson; charset=windows-1252",
            "text/csv",
            "text/plain",
            "application/x-www-form-urlencoded",
            "",
        ] {
            assert_eq!(check(kind), Err("unsupported-media-type"), "{kind}");
        }
    }
}
