//! The patterns of filter rules, in rclone's grammar: `*`, `?`, `**`, `[a-z]`, `{a,b}`, `{{regular expression}}`. Each is
//! translated to a regular expression, so that the time for a match is proportional to the length of the path.

use regex_bites::Regex;

/// The special characters of a regular expression.
const META: &str = r"\.+*?()|[]{}^$#&-~";

/// A pattern that complete paths are compared with, such as `a/b.txt`, or `a/b/` for a folder.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    regex: Regex,
    /// A text that every match contains. Searching for it takes a tenth of the time of a comparison.
    part: String,
    /// Whether only the last name of a path is compared.
    name_only: bool,
}

impl Pattern {
    /// Compiles a pattern. One that starts with `/` matches from the root, any other one from any `/`.
    ///
    /// # Errors
    /// What is not valid.
    pub(super) fn parse(glob: &str) -> Result<Self, String> {
        let (rooted, rest) = match glob.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, glob),
        };
        // A pattern for single names is compared with the last name only, which takes less time.
        let name_only = !rooted && !rest.contains('/') && !rest.contains("**") && !rest.contains("{{");
        let start = if rooted || name_only { "^" } else { "(?:^|/)" };
        let body = Translation::of(rest)?;
        Self::compile(&format!("{start}(?:{body})$"), rest, name_only)
    }

    /// Compiles the regular expression of a pattern. `name_only` if it is compared with the last name of a path.
    ///
    /// # Errors
    /// What is not valid.
    pub(super) fn compile(regex: &str, glob: &str, name_only: bool) -> Result<Self, String> {
        let regex = Regex::new(regex).map_err(|error| error.to_string())?;
        Ok(Self { regex, part: literal_part(glob).to_owned(), name_only })
    }

    /// Whether a path matches.
    pub(super) fn is_match(&self, path: &str) -> bool {
        let path = if self.name_only { last_name(path) } else { path };
        path.contains(&self.part) && self.regex.is_match(path)
    }
}

fn last_name(path: &str) -> &str {
    path.rfind('/').map_or(path, |slash| &path[slash + 1..])
}

/// Returns the longest text that every match of a pattern contains; empty if the pattern is not a simple one. Separators
/// at its ends are not certain, because `**/` also matches no folder in ignore files.
fn literal_part(glob: &str) -> &str {
    if glob.contains(['[', ']', '{', '}', '\\']) {
        return "";
    }
    glob.split(['*', '?']).map(|part| part.trim_matches('/')).max_by_key(|part| part.len()).unwrap_or_default()
}

/// Appends a character that matches itself.
pub(super) fn push_literal(regex: &mut String, character: char) {
    if META.contains(character) {
        regex.push('\\');
    }
    regex.push(character);
}

/// The regular expression of a pattern, while the pattern is read.
struct Translation<'a> {
    rest: &'a str,
    regex: String,
    depth: usize,
}

impl<'a> Translation<'a> {
    fn of(glob: &'a str) -> Result<String, String> {
        let mut translation = Self { rest: glob, regex: String::with_capacity(glob.len() * 2), depth: 0 };
        while let Some(character) = translation.next() {
            translation.take(character)?;
        }
        if translation.depth > 0 {
            return Err("a { without its }".to_owned());
        }
        Ok(translation.regex)
    }

    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        Some(character)
    }

    fn next_if(&mut self, expected: char) -> bool {
        let rest = self.rest.strip_prefix(expected);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take(&mut self, character: char) -> Result<(), String> {
        match character {
            '\\' => {
                let literal = escaped(self.next())?;
                self.regex.push_str(&literal);
            }
            '*' if !self.next_if('*') => self.regex.push_str("[^/]*"),
            '*' if self.rest.starts_with('*') => return Err("more than two * in a row".to_owned()),
            '*' => self.regex.push_str("(?s:.*)"),
            '?' => self.regex.push_str("[^/]"),
            '[' => {
                let (class, rest) = class(self.rest, false)?;
                self.regex.push_str(&class);
                self.rest = rest;
            }
            ']' => return Err("a ] without its [".to_owned()),
            '{' if self.rest.starts_with('{') => self.regular_expression()?,
            '{' => {
                self.depth += 1;
                self.regex.push_str("(?:");
            }
            '}' if self.depth == 0 => return Err("a } without its {".to_owned()),
            '}' => {
                self.depth -= 1;
                self.regex.push(')');
            }
            ',' if self.depth > 0 => self.regex.push('|'),
            other => push_literal(&mut self.regex, other),
        }
        Ok(())
    }

    /// Appends the expression in `{{` and `}}`. It ends with the last `}` of several in a row.
    fn regular_expression(&mut self) -> Result<(), String> {
        let inside = &self.rest[1..];
        let close = inside.find("}}").ok_or("a {{ without its }}")?;
        let more = inside[close + 2..].bytes().take_while(|byte| *byte == b'}').count();
        let (expression, rest) = (&inside[..close + more], &inside[close + more + 2..]);
        self.regex.push_str(&format!("(?:{expression})"));
        self.rest = rest;
        Ok(())
    }
}

/// Returns the regular expression of the character after a backslash.
fn escaped(character: Option<char>) -> Result<String, String> {
    match character {
        None => Err("a \\ at its end".to_owned()),
        Some(class @ ('d' | 'D' | 's' | 'S' | 'w' | 'W')) => Ok(format!("\\{class}")),
        Some(other) if other.is_ascii_alphanumeric() => Err(format!("\\{other} has no meaning")),
        Some(other) => {
            let mut literal = String::new();
            push_literal(&mut literal, other);
            Ok(literal)
        }
    }
}

/// Translates a character class. `rest` begins after its `[`. Returns its regular expression, and what follows its `]`.
/// With `of_git`, a
/// negated class does not match `/`, a `]` at its start is literal, and a letter after a backslash is that letter.
///
/// # Errors
/// What is not valid.
pub(super) fn class(rest: &str, of_git: bool) -> Result<(String, &str), String> {
    let mut regex = String::from("[");
    let inside = rest.strip_prefix(['!', '^']);
    if inside.is_some() {
        regex.push_str(if of_git { "^/" } else { "^" });
    }
    let mut rest = inside.unwrap_or(rest);
    let mut is_first = true;
    loop {
        let character = rest.chars().next().ok_or("a [ without its ]")?;
        let after = &rest[character.len_utf8()..];
        rest = match character {
            ']' if !is_first => {
                regex.push(']');
                return Ok((regex, after));
            }
            ']' if !of_git => return Err("empty brackets".to_owned()),
            '[' if after.starts_with(':') => {
                let end = after.find(":]").ok_or("a [: without its :]")?;
                regex.push_str(&rest[..end + 3]);
                &after[end + 2..]
            }
            '\\' => {
                let escape = after.chars().next();
                match escape {
                    Some(letter) if of_git => push_literal(&mut regex, letter),
                    escape => regex.push_str(&escaped(escape)?),
                }
                &after[escape.map_or(0, char::len_utf8)..]
            }
            // A range if there is a character on both sides of it.
            '-' if !is_first && !after.starts_with(']') => {
                regex.push('-');
                after
            }
            other => {
                push_literal(&mut regex, other);
                after
            }
        };
        is_first = false;
    }
}

/// Returns the patterns of the folders that may contain matches of a pattern for files. They end in `/`, or are `/**`
/// for all folders.
pub(super) fn folder_globs(glob: &str) -> Vec<String> {
    if is_opaque(glob) {
        return vec!["/**".to_owned()];
    }
    let mut globs: Vec<String> = Vec::new();
    let mut rest = squashed(glob);
    loop {
        let (slash, stars) = (rest.rfind('/'), rest.rfind("**"));
        let (cut, tail) = match (slash, stars) {
            (slash, Some(stars)) if slash.is_none_or(|slash| stars > slash) => (stars, "**/"),
            (Some(slash), _) => (slash, "/"),
            (None, _) => break,
        };
        rest.truncate(cut);
        let folder = format!("{rest}{tail}");
        if globs.last() != Some(&folder) {
            globs.push(folder);
        }
    }
    if globs.is_empty() {
        // A name can be in any folder.
        globs.push("/**".to_owned());
    }
    globs
}

/// Whether a pattern cannot be divided at its separators: it contains a regular expression, nested braces, or braces
/// with a separator.
fn is_opaque(glob: &str) -> bool {
    let mut depth = 0_usize;
    let mut previous = '\0';
    for character in glob.chars() {
        match character {
            '{' if depth > 0 => return true,
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '/' if depth > 0 => return true,
            '*' if depth > 0 && previous == '*' => return true,
            _ => {}
        }
        previous = character;
    }
    false
}

/// Returns a pattern without repeated separators.
fn squashed(glob: &str) -> String {
    let mut squashed = String::with_capacity(glob.len());
    for character in glob.chars() {
        if character != '/' || !squashed.ends_with('/') {
            squashed.push(character);
        }
    }
    squashed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_match(glob: &str, path: &str) -> bool {
        Pattern::parse(glob).unwrap_or_else(|error| panic!("{glob}: {error}")).is_match(path)
    }

    #[test]
    fn patterns_match_as_documented() {
        for (glob, yes, no) in [
            ("file.jpg", "file.jpg", "afile.jpg"),
            ("file.jpg", "directory/file.jpg", "directory/afile.jpg"),
            ("/file.jpg", "file.jpg", "directory/file.jpg"),
            ("*.jpg", "dir/file.jpg", "dir/file.png"),
            ("/*.jpg", "file2.jpg", "dir/file.jpg"),
            ("*.{jpg,png}", "dir/file.png", "dir/file.gif"),
            ("dir/**", "subdir/dir/subsubdir/anyfile", "subdir/file.png"),
            ("*.t?t", "dir/file.tzt", "file.qxt"),
            ("*.[a-z]", "dir/file.b", "dir/file.1"),
            ("*.[!a-z]", "dir/file.1", "dir/file.b"),
            ("*.[^a-z]", "dir/file.1", "dir/file.b"),
            (r"*.\?\?\?", "dir/file.???", "dir/file.def"),
            (r"*.\d\d\d", "dir/file.345", "dir/file.def"),
            ("*.{{jpe?g}}", "file.jpeg", "dir/file.jpeeg"),
            (r"/{{.*\.jpe?g}}", "file.jpg", "dir/file.jp"),
            (r"*\[{JP,KR}\]*", "x[KR]y", "xKRy"),
            ("{a,{b,c}}x", "d/bx", "d/dx"),
            ("x{{a{2}}}y", "xaay", "xay"),
            ("[[:digit:]x]", "x", "a"),
            ("[+-]a", "-a", "xa"),
            ("**", "any\nthing/at/all", "\0never/"),
            ("a.b+c(d)|^$", "a.b+c(d)|^$", "axb+c(d)|^$"),
            ("ä?", "d/äö", "ä"),
        ] {
            assert!(is_match(glob, yes), "{glob} on {yes}");
            assert!(no.starts_with('\0') || !is_match(glob, no), "{glob} on {no}");
        }
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        for glob in ["***", "[", "[]", "[]x]", "x]", "{a", "a}", "{{a", r"a\", r"\q", "[z-a]", "{{(}}", "[[:alpha"] {
            assert!(Pattern::parse(glob).is_err(), "{glob}");
        }
    }

    #[test]
    fn folders_of_patterns() {
        for (glob, folders) in [
            ("*.jpg", &["/**"][..]),
            ("/*.jpg", &["/"]),
            ("/a/b/*.jpg", &["/a/b/", "/a/", "/"]),
            ("a/b", &["a/"]),
            ("a/**", &["a/**/", "a/"]),
            ("/a//b**c/d", &["/a/b**c/", "/a/b**/", "/a/", "/"]),
            ("{a/b,c}", &["/**"]),
            ("{a,b}/c", &["{a,b}/"]),
            ("x{{y}}", &["/**"]),
        ] {
            assert_eq!(folder_globs(glob), folders, "{glob}");
        }
    }
}
