//! Figures of one Rust file, taken from its formatted text.
//!
//! A function ends at the brace that stands below its first letter, because every file is formatted. A doc comment
//! is a block of lines that begin with `///` or `//!`.

/// Lines of a function, at most.
const FUNCTION_LINES_MAX: usize = 70;
/// Words of a doc comment that counts as short, at most.
const SHORT_WORDS_MAX: usize = 3;
/// Openings that a doc comment must not have: a comment names its thing.
const RIDDLES: [&str; 9] =
    ["what", "whether", "how", "who", "whom", "where", "those", "that which", "one that"];

/// Figures of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Source {
    /// Lines of the file.
    pub(crate) lines: usize,
    /// Functions that are longer than [`FUNCTION_LINES_MAX`]: line and name.
    pub(crate) long_functions: Vec<(usize, String)>,
    /// Functions of any length.
    pub(crate) functions: usize,
    /// Doc comments.
    pub(crate) doc_comments: usize,
    /// Doc comments that open like a riddle: line and opening.
    pub(crate) riddles: Vec<(usize, String)>,
    /// Doc comments of three words or fewer.
    pub(crate) short_doc_comments: usize,
    /// Lines of statements that bind or assign a tuple of several values.
    pub(crate) tuple_lets: Vec<usize>,
    /// Uses of `dyn`.
    pub(crate) dyns: usize,
}

impl Source {
    /// Takes the figures of a file's text.
    pub(crate) fn of(text: &str) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        let mut source = Self { lines: lines.len(), ..Self::default() };
        source.count_functions(&lines);
        source.count_doc_comments(&lines);
        source.tuple_lets =
            (0..lines.len()).filter(|at| is_tuple_let(&lines[*at..])).map(|at| at + 1).collect();
        source.dyns =
            lines.iter().filter(|line| !is_comment(line)).map(|line| line.matches("dyn ").count()).sum();
        source
    }

    /// Every place that breaks a rule: line and fault.
    pub(crate) fn faults(&self) -> Vec<(usize, String)> {
        let long = self
            .long_functions
            .iter()
            .map(|(line, name)| (*line, format!("`{name}` has more than {FUNCTION_LINES_MAX} lines")));
        let riddles = self
            .riddles
            .iter()
            .map(|(line, opening)| (*line, format!("opens with `{opening}`: begin with a noun or a verb")));
        let tuples =
            self.tuple_lets.iter().map(|line| (*line, "a tuple let: write a statement for each".to_owned()));
        long.chain(riddles).chain(tuples).collect()
    }

    fn count_functions(&mut self, lines: &[&str]) {
        for (at, line) in lines.iter().enumerate() {
            let Some(name) = function_name(line) else { continue };
            let indent = line.len() - line.trim_start().len();
            let end = format!("{}}}", " ".repeat(indent));
            let has_body = |line: &&&str| line.ends_with('{') || line.ends_with(';') || line.ends_with('}');
            let Some(opening) = lines[at..].iter().find(has_body) else { continue };
            if !opening.ends_with('{') {
                // A function of a trait, or of one line.
                continue;
            }
            self.functions += 1;
            let length = lines[at..].iter().position(|line| *line == end).map_or(0, |behind| behind + 1);
            if length > FUNCTION_LINES_MAX {
                self.long_functions.push((at + 1, name.to_owned()));
            }
        }
    }

    fn count_doc_comments(&mut self, lines: &[&str]) {
        let mut at = 0;
        while at < lines.len() {
            let Some(mark) = doc_mark(lines[at]) else {
                at += 1;
                continue;
            };
            let block = lines[at..].iter().take_while(|line| doc_mark(line) == Some(mark));
            let text: Vec<&str> = block.map(|line| line.trim_start()[3..].trim()).collect();
            self.doc_comments += 1;
            let words = text.join(" ");
            if words.split_whitespace().count() <= SHORT_WORDS_MAX {
                self.short_doc_comments += 1;
            }
            if let Some(riddle) = riddle(&words) {
                self.riddles.push((at + 1, riddle.to_owned()));
            }
            at += text.len();
        }
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

fn doc_mark(line: &str) -> Option<&'static str> {
    let line = line.trim_start();
    ["///", "//!"].into_iter().find(|mark| line.starts_with(mark))
}

/// The opening of a text that names nothing.
fn riddle(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    RIDDLES.into_iter().find(|opening| {
        let behind = text.strip_prefix(opening).map(|rest| rest.chars().next());
        behind.is_some_and(|next| next.is_none_or(|next| !next.is_alphanumeric() && next != '-'))
    })
}

/// The name of the function that a line begins.
fn function_name(line: &str) -> Option<&str> {
    if is_comment(line) {
        return None;
    }
    let mut words = line.trim_start().split(' ');
    let is_modifier = |word: &str| {
        word.starts_with("pub")
            || ["async", "const", "unsafe", "extern", "\"C\""].contains(&word)
            || word.starts_with("in")
            || word.ends_with(')')
    };
    let word = words.find(|word| !is_modifier(word))?;
    let name = words.next().filter(|_| word == "fn")?;
    name.split(['(', '<']).next()
}

/// Returns true if a statement begins here that takes apart a tuple which it has just put together. A `let … else` may:
/// it matches several values at once.
fn is_tuple_let(lines: &[&str]) -> bool {
    let line = lines[0].trim_start();
    let Some(pattern) = line.strip_prefix("let (").or_else(|| line.strip_prefix('(')) else { return false };
    let statement = lines.iter().take(6).map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    let Some((names, value)) = statement.split_once(") = ") else { return false };
    let is_pattern = names.contains(',') && !names.contains([';', '{', '"']) && !pattern.is_empty();
    is_pattern && is_tuple(value.trim_start())
}

/// Returns true if a statement's value is a tuple of two or more and nothing else.
fn is_tuple(value: &str) -> bool {
    if !value.starts_with('(') {
        return false;
    }
    let mut depth = 0;
    let mut has_comma = false;
    for (at, character) in value.char_indices() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 1 => has_comma = true,
            _ => {}
        }
        if depth == 0 {
            let behind = value[at + 1..].trim_start();
            return has_comma && (behind.is_empty() || behind.starts_with(';'));
        }
    }
    // The tuple goes on beyond the lines that were looked at.
    has_comma
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doc_comments_are_counted_by_block() {
        let text = "//! What it is.\n//! More.\n\n/// The order.\nstruct A;\n/// Whatever comes is taken in.\nfn b();\n";
        let source = Source::of(text);
        assert_eq!((source.doc_comments, source.short_doc_comments), (3, 1));
        assert_eq!(source.riddles, [(1, "what".to_owned())]);
    }

    #[test]
    fn openings_are_whole_words() {
        for (text, expected) in [
            ("Whether it is paid.", Some("whether")),
            ("One that pays.", Some("one that")),
            ("How", Some("how")),
            ("However late it comes", None),
            ("How-to of restores", None),
            ("One thing", None),
        ] {
            assert_eq!(riddle(text), expected, "{text}");
        }
    }

    #[test]
    fn functions_end_below_their_first_letter() {
        let long =
            format!("    pub(crate) async fn long(\n    ) {{\n{}    }}\n", "        x();\n".repeat(69));
        let text = format!(
            "trait A {{\n    fn of() -> u8;\n}}\nfn one() {{}}\nfn short() {{\n}}\nimpl B {{\n{long}}}\n"
        );
        let source = Source::of(&text);
        assert_eq!(source.long_functions, [(8, "long".to_owned())]);
        assert_eq!(source.functions, 2);
    }

    #[test]
    fn only_tuples_that_are_put_together_and_taken_apart_count() {
        for (text, expected) in [
            ("let (a, b) = (1, 2);", true),
            ("let (mut a, b) =\n    (f(x, y), 2);", true),
            ("(a, b) = (b, a);", true),
            ("(hold.is_held, hold.taken) = (false, amount);", true),
            ("let (a, b) = f((1, 2));", false),
            ("let (a, b) = (x + y).split(1);", false),
            ("let (a, b) = (match x { _ => (1, 2) });", false),
            ("let Some((a, b)) = c else { return };", false),
            ("let (Some(a), Some(b)) = (c, d) else { return };", false),
        ] {
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(is_tuple_let(&lines), expected, "{text}");
        }
    }

    #[test]
    fn dyn_in_comments_does_not_count() {
        assert_eq!(Source::of("// a dyn Clock\nfn a(b: &dyn Clock, c: Box<dyn Fn()>);\n").dyns, 2);
    }
}
