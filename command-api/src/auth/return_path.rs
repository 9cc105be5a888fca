//! Paths to which a browser returns after signing in at an identity provider.
//!
//! The sign-in code is in the fragment of the address, after `#`. A browser keeps the fragment when it
//! follows a redirect, so a path that leads to another site would give the code to that site. Browsers also
//! accept many spellings of one path: dots, `%2e`, backslashes, tabs, empty segments. So the rule is a list
//! of what is allowed: each segment has plain characters only and does not begin with a dot.

use souk_http::Problem;

/// Greatest length of a path with its query, in bytes.
const PATH_BYTES_MAX: usize = 512;

/// Reads a path of this site. Paths of the API are refused, since they may redirect to another site.
pub fn own_path(text: String) -> Result<String, Problem> {
    if is_own(&text) {
        return Ok(text);
    }
    let detail = "the value must be a path of this site, such as /account: segments of letters, digits, `-`, `_`, `~` \
                  and dots, none of them empty or beginning with a dot, the first one not `api`; optionally `?` and a \
                  query; at most 512 bytes";
    Err(Problem::parameter("returnTo", detail))
}

fn is_own(text: &str) -> bool {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let Some(path) = path.strip_prefix('/') else { return false };
    let first = path.split('/').next().unwrap_or_default();
    text.len() <= PATH_BYTES_MAX
        && (path.is_empty() || path.split('/').all(is_plain))
        // A path of the API may redirect to another site, for example to an identity provider.
        && !first.eq_ignore_ascii_case("api")
        && query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\' && byte != b'#')
}

fn is_plain(segment: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_this_site_are_accepted() {
        for path in [
            "/",
            "/account",
            "/account/orders/SK-7F3K-9QXM",
            "/apis",
            "/files/a.b..c~d",
            "/?a=b",
            "/search?q=%2e%2e%2f//x/../y",
        ] {
            assert!(is_own(path), "{path}");
        }
    }

    // Proves: sign-in.return-paths
    #[test]
    fn every_spelling_of_a_path_to_another_site_is_refused() {
        for path in [
            "",
            "account",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/%5cevil.example",
            "/%2fevil.example",
            "/%09/evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "\t/account",
            "https://evil.example",
            "/.",
            "/..",
            "/./api/auth/oidc/other/start",
            "/../api/auth/oidc/other/start",
            "/x/../api/auth/oidc/other/start",
            "/x/..;/api/auth/oidc/other/start",
            "/x;/../api",
            "/%2e/api/auth/oidc/other/start",
            "/%2E%2E/api/auth/oidc/other/start",
            "/.%2e/api",
            "/%252e/api/auth/oidc/other/start",
            "/%25252e/api",
            "/%c0%ae/api",
            "/%u002e/api",
            "/%61pi/auth/oidc/other/start",
            "/API/auth/oidc/other/start",
            "/api",
            "/api?x",
            "/api/auth/oidc/other/start",
            "/account//x",
            "/account/",
            "/a b",
            "/a#b",
            "/a?b#c",
            "/a?b\\c",
            "/a?b\tc",
            "/a\u{0}b",
            "/h\u{e9}",
            "/\u{ff0e}/api",
        ] {
            assert!(!is_own(path), "{path:?}");
        }
        assert!(is_own(&format!("/{}", "x".repeat(PATH_BYTES_MAX - 1))));
        assert!(!is_own(&format!("/{}", "x".repeat(PATH_BYTES_MAX))));
    }
}
