//! The lines of a body, or the elements of an array: cut apart and counted before any of them is read.

use axum::http::{HeaderMap, header};
use souk_domain::text::quoted;
use souk_web::Problem;

use super::LINES_MAX;
use super::elements::{Elements, Part};

/// The mark that programs set before UTF-8 text.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The lines of a body; an array has one product an element.
pub fn of_body(body: &[u8]) -> Result<Vec<&[u8]>, Problem> {
    let body = body.strip_prefix(BOM).unwrap_or(body);
    if let Some(array) = body.trim_ascii().strip_prefix(b"[") {
        return of_array(array);
    }
    let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).take(LINES_MAX + 1).collect();
    if lines.len() > LINES_MAX { Err(too_many()) } else { Ok(lines) }
}

/// The elements of an array behind its opening bracket.
fn of_array(array: &[u8]) -> Result<Vec<&[u8]>, Problem> {
    let mut elements = Elements::default();
    let mut lines = Vec::new();
    let mut begin = 0;
    for (at, byte) in array.iter().enumerate() {
        match elements.part(*byte) {
            Part::Element => {}
            Part::Between => begin = at + 1,
            Part::ElementEnd | Part::LastElementEnd if lines.len() == LINES_MAX => return Err(too_many()),
            Part::ElementEnd => {
                lines.push(array[begin..at].trim_ascii());
                begin = at + 1;
            }
            Part::LastElementEnd => {
                lines.push(array[begin..at].trim_ascii());
                return ended(&array[at + 1..], lines);
            }
            Part::ArrayEnd => return ended(&array[at + 1..], lines),
        }
    }
    Err(Problem::new("malformed-body", "the array has no end"))
}

fn ended<'a>(rest: &[u8], lines: Vec<&'a [u8]>) -> Result<Vec<&'a [u8]>, Problem> {
    if rest.trim_ascii().is_empty() {
        return Ok(lines);
    }
    Err(Problem::new("malformed-body", "something follows the end of the array"))
}

fn too_many() -> Problem {
    let detail = format!("at most {LINES_MAX} lines are allowed at once; send the rest in another request");
    Problem::field("", "too-many", detail)
}

/// Refuses a body that says that it is in another encoding than UTF-8.
pub fn check_charset(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let parameters = kind.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    for (name, value) in parameters {
        let value = value.trim().trim_matches('"');
        if name.trim().eq_ignore_ascii_case("charset") && !value.eq_ignore_ascii_case("utf-8") {
            let detail = format!("the body is in `{}`; UTF-8 is allowed", quoted(value));
            return Err(Problem::new("unsupported-media-type", detail));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: &[&str]) {
        let lines = of_body(body.as_bytes()).unwrap();
        let lines: Vec<_> = lines.iter().map(|line| std::str::from_utf8(line).unwrap()).collect();
        assert_eq!(lines, expected, "{body}");
    }

    #[test]
    fn lines_are_cut_at_line_breaks_and_arrays_at_their_elements() {
        check("", &[]);
        check("{}\r\n\n  {\"a\":1} \n", &["{}", "{\"a\":1}"]);
        check("\u{feff}{}", &["{}"]);
        check("\u{feff}\n[]\n", &[]);
        check("[{\"a\":\n[1,2]},\n {}]", &["{\"a\":\n[1,2]}", "{}"]);
        check("[{},,{},]", &["{}", "{}"]);
    }

    #[test]
    fn an_array_without_an_end_is_refused() {
        for (body, words) in [("[{}", "no end"), ("[{},{}] {}", "follows"), ("[\"]", "no end")] {
            let problem = of_body(body.as_bytes()).unwrap_err();
            assert_eq!(problem.code(), "malformed-body", "{body}");
            assert!(problem.detail().contains(words), "{body}: {problem:?}");
        }
    }

    #[test]
    fn lines_and_elements_are_counted_before_they_are_read() {
        let exact = |ends: [&str; 3], count: usize| {
            let [open, between, close] = ends;
            of_body(format!("{open}{}{close}", vec!["x"; count].join(between)).as_bytes())
                .map(|lines| lines.len())
        };
        for ends in [["", "\n", ""], ["[", ",", "]"], ["[", ",", ",]"]] {
            assert_eq!(exact(ends, LINES_MAX).ok(), Some(LINES_MAX));
            assert!(exact(ends, LINES_MAX + 1).is_err_and(|problem| problem.detail().contains("2000")));
        }
    }

    #[test]
    fn a_declared_encoding_other_than_utf_8_is_refused() {
        let check = |kind: &'static str| {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().unwrap())]);
            check_charset(&headers).map_err(|problem| problem.code())
        };
        assert_eq!(check("application/x-ndjson"), Ok(()));
        assert_eq!(check("application/x-ndjson; Charset=\"UTF-8\""), Ok(()));
        assert_eq!(check("application/x-ndjson; charset=windows-1252"), Err("unsupported-media-type"));
    }
}
