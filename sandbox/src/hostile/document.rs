//! False data in XML, in web pages, and in any other text.

use super::random::Random;
use super::{Lie, Malice, words};

/// How deep elements are within elements.
const DEPTH: usize = 100_000;

/// Returns the text with false data in it.
pub(super) fn changed(lie: Lie, body: &[u8], random: &mut Random, malice: &Malice) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    let values = values(&text);
    if values.is_empty() {
        return (*random.choose(&words::OTHER_DOCUMENTS)).to_owned().into_bytes();
    }
    let (start, end) = *random.choose(&values);
    let value = match lie {
        Lie::Names => {
            let name = words::name(random, malice);
            let folder = text[start..end].rsplit_once('/').map(|(folder, _)| folder).filter(|_| random.one_of(2));
            folder.map_or_else(|| escape(&name), |folder| format!("{folder}/{}", escape(&name)))
        }
        Lie::Escapes => format!("{}{}", &text[start..end], escape(&words::text(random))),
        Lie::Numbers => (*random.choose(&words::NUMBERS)).to_owned(),
        Lie::Types => "<a b=\"c\"><![CDATA[d]]></a><!-- e --><?f g?>&h;&#0;&#xffffffff;".to_owned(),
        Lie::Nesting => format!("{}{}", "<a>".repeat(DEPTH), "</a>".repeat(DEPTH)),
        _ => String::new(),
    };
    if lie == Lie::Gaps && random.one_of(2) {
        // To the middle of something.
        return text.as_bytes()[..start].to_vec();
    }
    format!("{}{value}{}", &text[..start], &text[end..]).into_bytes()
}

/// Where the texts of elements and the values of attributes are.
fn values(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let (mut in_tag, mut start) = (false, 0);
    for (index, character) in text.char_indices() {
        match (character, in_tag) {
            ('<', false) => {
                if index > start && !text[start..index].trim().is_empty() {
                    found.push((start, index));
                }
                (in_tag, start) = (true, index + 1);
            }
            ('>', true) => (in_tag, start) = (false, index + 1),
            ('"', true) => {
                if text[..index].ends_with('=') {
                    start = index + 1;
                } else if start <= index && text[..start].ends_with("=\"") {
                    found.push((start, index));
                }
            }
            _ => {}
        }
    }
    found
}

fn escape(text: &str) -> String {
    let plain = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    plain.replace('\u{0}', "&#0;").replace('\u{1b}', "&#27;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_attributes_are_found() {
        let text = "<a b=\"c\" d=\"\">e<f/> <g>h</g></a>";
        let found: Vec<&str> = values(text).into_iter().map(|(start, end)| &text[start..end]).collect();
        assert_eq!(found, ["c", "", "e", "h"]);
    }
}
