//! The words of comments, messages and documents: what docs/style.md avoids is not in them.

use std::fs;
use std::path::{Path, PathBuf};

/// Words to avoid, and what to write instead. All inflected forms that occur are listed.
const AVOIDED: &[(&str, &str)] = &[
    ("told", "who reports it: prints, reports, says; for a reference: see"),
    ("tell", "report, print, say; for a reference: see"),
    ("tells", "reports, prints, says; for a reference: see"),
    ("telling", "reporting, printing"),
    ("go on", "continue"),
    ("goes on", "continues"),
    ("going on", "continuing, in progress"),
    ("went on", "continued"),
    ("gone on", "continued"),
    ("stand", "be, mean"),
    ("stands", "is, means"),
    ("standing", "being"),
    ("stood", "was, meant"),
    ("lies", "is"),
    ("whole", "complete, all of, entire"),
    ("anew", "again"),
    ("once more", "again"),
    ("exists already", "already exists"),
    ("exist already", "already exist"),
    ("any more", "no longer"),
    ("where it is left out", "if omitted"),
    ("where known", "if known"),
    ("where set", "if set"),
    ("where there is no", "if there is no"),
    ("where there is none", "if there is none"),
    ("where there are", "if there are"),
    ("where that is", "if that is"),
    ("where nobody", "if nobody"),
    ("where nothing", "if nothing"),
    ("as far as", "if, to the extent that"),
    ("is good", "is valid"),
    ("good for", "valid for"),
    ("wants", "requires, expects"),
    ("wanted", "required, requested"),
    ("what is there", "the existing file"),
    ("what was there", "the existing file"),
    ("mend", "fix"),
    ("mends", "fixes"),
    ("mended", "fixed"),
    ("hold", "contain"),
    ("holds", "contains"),
    ("look after", "keep, maintain"),
    ("looks after", "keeps, maintains"),
    ("come back", "return"),
    ("comes back", "returns"),
    ("gives back", "returns"),
    ("given back", "returned"),
    ("hears", "receives"),
    ("is no", "is not a"),
    ("are no", "are not"),
    ("was no", "was not a"),
    ("is none", "is not one"),
    ("of no use", "useless"),
    ("for ever", "forever"),
    ("log in", "sign in"),
    ("logs in", "signs in"),
    ("cancelled", "canceled"),
    ("colour", "color"),
    ("colours", "colors"),
    ("coloured", "colored"),
    ("honour", "honor"),
    ("honoured", "honored"),
    ("licence", "license"),
    ("recognise", "recognize"),
    ("recognises", "recognizes"),
    ("serialise", "serialize"),
    ("serialises", "serializes"),
];

/// Contexts in which an avoided word is right, with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("there is no", "a plain statement of existence"),
    ("there are no", "a plain statement of existence"),
    ("there was no", "a plain statement of existence"),
    ("there is none", "a plain statement of existence"),
    ("there was none", "a plain statement of existence"),
    ("is no longer", "means the opposite of 'still'"),
    ("are no longer", "means the opposite of 'still'"),
    ("answer is no", "the answer No"),
    ("whole number", "a number without a fraction"),
    ("whole second", "a number without a fraction"),
    ("whole seconds", "a number without a fraction"),
    ("as a whole", "the opposite of 'in parts'"),
    ("hold the last chunk back", "means 'delay'"),
    ("holds the lock", "one holds a lock"),
    ("holds a lock", "one holds a lock"),
    ("holds a content lock", "one holds a lock"),
    ("holds the content lock", "one holds a lock"),
    ("hold a lock", "one holds a lock"),
    ("holds it", "one holds a lock"),
    ("did not hold", "the S3 error message for a condition that is not met"),
    ("stand for", "the field's phrase for a placeholder"),
];

/// Avoided by docs/style.md in some meanings only, which no list of words can distinguish.
const MEANINGS: &[&str] = &["has ended"];

/// A text in lower case, with the line that each byte comes from. All white space is a single blank.
#[derive(Default)]
struct Text {
    text: String,
    /// The offset at which each line begins.
    lines: Vec<(usize, usize)>,
}

/// The end of a paragraph, so that no phrase is found across it.
const END: char = '\u{1}';

impl Text {
    fn push(&mut self, character: char, line: usize) {
        if self.lines.last().is_none_or(|(_, last)| *last != line) {
            self.lines.push((self.text.len(), line));
        }
        if !character.is_whitespace() {
            self.text.extend(character.to_lowercase());
        } else if !self.text.ends_with(' ') {
            self.text.push(' ');
        }
    }

    fn end(&mut self) {
        self.text.push(END);
    }

    /// The avoided words with their lines.
    fn findings(&self) -> Vec<(usize, &'static str, &'static str)> {
        let text = without(&without(&self.text, '`', '`'), '{', '}');
        let mut bytes = text.clone().into_bytes();
        for (context, _) in EXCEPTIONS {
            for start in positions(&text, context) {
                bytes[start..start + context.len()].fill(b'#');
            }
        }
        let text = String::from_utf8(bytes).expect("only complete words are replaced");
        let line_of = |offset| self.lines[self.lines.partition_point(|(start, _)| *start <= offset) - 1].1;
        let found = AVOIDED.iter().flat_map(|(avoided, better)| {
            positions(&text, avoided).into_iter().map(|start| (line_of(start), *avoided, *better))
        });
        let mut found: Vec<_> = found.collect();
        found.sort_unstable();
        found
    }
}

/// A text with everything blanked out between two marks in the same paragraph: code and placeholders are not prose.
fn without(text: &str, open: char, close: char) -> String {
    let mut bytes = text.to_owned().into_bytes();
    let mut from = 0;
    while let Some(start) = text[from..].find(open).map(|at| from + at) {
        let end = text[start + 1..].find([close, END]).map_or(text.len(), |at| start + 1 + at);
        if text[end..].starts_with(close) {
            bytes[start..=end].fill(b'#');
        }
        from = (end + 1).min(text.len());
    }
    String::from_utf8(bytes).expect("the marks are ASCII")
}

/// Where a phrase is, as words of its own.
fn positions(text: &str, phrase: &str) -> Vec<usize> {
    let is_word = |character: char| character.is_alphanumeric() || "_-'".contains(character);
    let found = text.match_indices(phrase).map(|(start, _)| start);
    found
        .filter(|start| {
            let (before, behind) = (&text[..*start], &text[start + phrase.len()..]);
            !before.chars().next_back().is_some_and(is_word) && !behind.chars().next().is_some_and(is_word)
        })
        .collect()
}

/// The comments and the string literals of Rust code. Unit tests are left out: their texts are for developers only, and
/// quote whatever they test.
fn of_rust(code: &str) -> Text {
    let mut text = Text::default();
    let mut lines = code.lines().enumerate().map(|(index, line)| (index + 1, line)).peekable();
    let mut string: Option<String> = None;
    while let Some((number, line)) = lines.next() {
        let is_tests = matches!(line.trim(), "#[cfg(test)]" | "#[cfg(all(test, unix))]")
            && lines.peek().is_some_and(|(_, next)| next.starts_with("mod "));
        if string.is_none() && is_tests {
            break;
        }
        let mut rest: Vec<char> = line.chars().collect();
        let mut at = 0;
        let mut is_comment = false;
        while at < rest.len() {
            let tail: String = rest[at..].iter().collect();
            match &string {
                Some(end) if tail.starts_with(end.as_str()) => {
                    at += end.chars().count();
                    string = None;
                    text.end();
                }
                Some(end) => {
                    if rest[at] == '\\' && end == "\"" {
                        rest[at] = ' ';
                        if let Some(escaped) = rest.get_mut(at + 1) {
                            *escaped = ' ';
                        }
                    }
                    text.push(rest[at], number);
                    at += 1;
                }
                None if tail.starts_with("//") => {
                    let comment = tail.trim_start_matches(['/', '!']);
                    comment.chars().for_each(|character| text.push(character, number));
                    text.push(' ', number);
                    is_comment = !comment.trim().is_empty();
                    break;
                }
                None => {
                    let (length, opened) = token(&tail);
                    string = opened;
                    at += length;
                }
            }
        }
        match string {
            Some(_) => text.push(' ', number),
            None if !is_comment => text.end(),
            None => {}
        }
    }
    text
}

/// The length of the next token of code, and the end of the string literal that it opens.
fn token(code: &str) -> (usize, Option<String>) {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    let name: String = code.chars().take_while(|character| is_name(*character)).collect();
    let behind = &code[name.len()..];
    let hashes = behind.chars().take_while(|character| *character == '#').count();
    if matches!(name.as_str(), "r" | "br") && behind[hashes..].starts_with('"') {
        return (name.len() + hashes + 1, Some(format!("\"{}", "#".repeat(hashes))));
    }
    if matches!(name.as_str(), "" | "b" | "c") && behind.starts_with('"') {
        return (name.len() + 1, Some("\"".to_owned()));
    }
    if !name.is_empty() {
        return (name.chars().count(), None);
    }
    // A character, such as a quote, unless it is a lifetime.
    let characters: Vec<char> = code.chars().take(12).collect();
    match characters.as_slice() {
        ['\'', '\\', _, rest @ ..] => (rest.iter().position(|end| *end == '\'').map_or(1, |end| end + 4), None),
        ['\'', _, '\'', ..] => (3, None),
        _ => (1, None),
    }
}

/// The prose of a Markdown document, without code.
fn of_markdown(document: &str) -> Text {
    let mut text = Text::default();
    let mut is_code = false;
    for (index, line) in document.lines().enumerate() {
        let start = line.trim_start();
        if start.starts_with("```") {
            is_code = !is_code;
        }
        if is_code || start.is_empty() || start.starts_with(['|', '#', '-', '`']) {
            text.end();
        }
        if !is_code {
            line.chars().for_each(|character| text.push(character, index + 1));
            text.push(' ', index + 1);
        }
    }
    text
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder with this extension.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|ending| ending == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn complaints(path: &Path, text: &Text) -> Vec<String> {
    let name = path.strip_prefix(root()).unwrap_or(path).display();
    let found = text.findings().into_iter();
    found.map(|(line, avoided, better)| format!("{name}:{line}: '{avoided}': write {better}")).collect()
}

#[test]
fn comments_messages_and_documents_follow_the_style_guide() {
    let mut found = Vec::new();
    for folder in ["src", "client/src", "sandbox/src"] {
        for path in files(&root().join(folder), "rs").iter().filter(|path| !path.ends_with("tests.rs")) {
            found.extend(complaints(path, &of_rust(&fs::read_to_string(path).expect("a source file"))));
        }
    }
    let mut documents = files(&root().join("docs"), "md");
    documents.retain(|path| !path.ends_with("style.md"));
    documents.extend(["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root().join(name)));
    for path in &documents {
        found.extend(complaints(path, &of_markdown(&fs::read_to_string(path).expect("a document"))));
    }
    assert!(found.is_empty(), "{} findings (docs/style.md):\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_list_covers_the_table_of_the_style_guide() {
    let guide = fs::read_to_string(root().join("docs/style.md")).expect("the style guide");
    let rows = guide.lines().skip_while(|line| !line.starts_with("| avoid")).skip(2);
    let cells = rows.take_while(|line| line.starts_with('|')).filter_map(|row| row.split('|').nth(1));
    let phrases: Vec<String> = cells
        .flat_map(|cell| cell.split_once('(').map_or(cell, |(before, _)| before).split(','))
        .map(|phrase| phrase.trim().to_lowercase())
        .collect();
    assert!(phrases.len() > 15, "{phrases:?}");
    for phrase in phrases.iter().filter(|phrase| !MEANINGS.contains(&phrase.as_str())) {
        let is_covered = AVOIDED.iter().any(|(avoided, _)| !positions(phrase, avoided).is_empty());
        assert!(is_covered, "'{phrase}' is in the table of docs/style.md and not in this list");
    }
}

#[test]
fn words_are_found_in_comments_and_strings_only() {
    let lines = |text: Text| text.findings().into_iter().map(|(line, word, _)| (line, word)).collect::<Vec<_>>();
    let code = "//! It is told.\nfn told() {}\n\n/// One that goes\n/// on, `told` or not.\nlet text = \"it is \\\n    \
                anew\";\nlet raw = r#\"a \"whole\" one\"#;\nlet quote = '\"'; // mended\nlet holds = '\\''; // holds\n\
                // There is no whole number, {told}.\nfn f<'a>(x: &'a str) -> &'a str { x } // colour\n#[cfg(test)]\n\
                mod tests {\n    // told\n}\n";
    let expected =
        vec![(1, "told"), (4, "goes on"), (7, "anew"), (8, "whole"), (9, "mended"), (10, "holds"), (12, "colour")];
    assert_eq!(lines(of_rust(code)), expected);
    let document = "A page that is\nno page.\n\n```\ntold\n```\n\n| told | x |\nwhole-hearted and `anew` for\n\never\n";
    assert_eq!(lines(of_markdown(document)), vec![(1, "is no"), (8, "told")]);
}
