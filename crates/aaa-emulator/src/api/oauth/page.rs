//! The page on which a user gives permission: no script, no style, nothing from elsewhere, and
//! nothing unescaped.

use http::{HeaderValue, StatusCode, header};
use url::Url;

use super::{Reply, TEXT};
use crate::{
    credentials,
    html::escaped,
    world::{Consent, OUT_OF_BAND},
};

/// Asks for permission.
pub(super) fn consent(path: &str, token: &str, consent: &Consent) -> Reply {
    let back = match consent.callback.as_str() {
        OUT_OF_BAND => "You will be shown a PIN.".to_owned(),
        callback => format!("You will be sent to <code>{}</code>.", escaped(callback)),
    };
    let (action, token, form_token) = (escaped(path), escaped(token), escaped(&consent.form_token));
    let max = credentials::MAX_USER;
    let body = format!(
        r#"<h1>May Emulator act for you?</h1>
<p>This is an emulator of X: nobody has to prove who they are. {back}</p>
<form method="post" action="{action}">
<input type="hidden" name="oauth_token" value="{token}">
<input type="hidden" name="authenticity_token" value="{form_token}">
<p><label>As the user with the id
<input type="number" name="user_id" value="7" min="1" max="{max}" required></label></p>
<p><button name="decision" value="approve">Authorize app</button>
<button name="decision" value="deny" formnovalidate>Cancel</button></p>
</form>"#
    );
    page(StatusCode::OK, &body, &form_targets(&consent.callback))
}

/// Shows the PIN, or that there is none.
pub(super) fn ended(pin: Option<&str>) -> Reply {
    let body = match pin {
        Some(pin) => format!(
            "<h1>You gave permission</h1>\n<p>Type this PIN into the app:</p>\n\
             <p><code>{}</code></p>",
            escaped(pin)
        ),
        None => "<h1>You did not give permission</h1>\n<p>You can close this page.</p>".to_owned(),
    };
    page(StatusCode::OK, &body, "'none'")
}

/// Says why there is nothing to decide.
pub(super) fn refused(why: &str) -> Reply {
    let body = format!("<h1>This cannot be decided</h1>\n<p>{}</p>", escaped(why));
    page(StatusCode::FORBIDDEN, &body, "'none'")
}

fn page(status: StatusCode, body: &str, form_targets: &str) -> Reply {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Emulator</title>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    );
    let policy = format!(
        "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action {form_targets}"
    );
    let mut reply = Reply::new(status, TEXT, html);
    let policy = HeaderValue::from_str(&policy);
    let policy = policy.unwrap_or(HeaderValue::from_static("default-src 'none'"));
    reply.headers.push((header::CONTENT_SECURITY_POLICY, policy));
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Without a referrer browsers would hide the origin of the form as well.
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        reply.headers.push((name, HeaderValue::from_static(value)));
    }
    reply
}

/// Browsers apply the policy of a form also to the redirect that answers it.
fn form_targets(callback: &str) -> String {
    match Url::parse(callback) {
        Ok(url) if url.origin().is_tuple() => {
            format!("'self' {}", url.origin().ascii_serialization())
        }
        Ok(url) => format!("'self' {}:", url.scheme()),
        Err(_) => "'self'".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_of(callback: &str) -> Reply {
        let consent =
            Consent { callback: callback.to_owned(), form_token: "form\"token".to_owned() };
        super::consent("/oauth/authorize", "<to&ken>", &consent)
    }

    fn header(reply: &Reply, name: &str) -> String {
        let found = reply.headers.iter().find(|(n, _)| n == name).unwrap();
        found.1.to_str().unwrap().to_owned()
    }

    #[test]
    fn nothing_is_unescaped() {
        let reply = page_of("http://localhost:1/?a='b'&c=<d>");
        insta::assert_snapshot!(reply.body, @r#"
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <title>Emulator</title>
        </head>
        <body>
        <h1>May Emulator act for you?</h1>
        <p>This is an emulator of X: nobody has to prove who they are. You will be sent to <code>http://localhost:1/?a=&#39;b&#39;&amp;c=&lt;d&gt;</code>.</p>
        <form method="post" action="/oauth/authorize">
        <input type="hidden" name="oauth_token" value="&lt;to&amp;ken&gt;">
        <input type="hidden" name="authenticity_token" value="form&quot;token">
        <p><label>As the user with the id
        <input type="number" name="user_id" value="7" min="1" max="9999999" required></label></p>
        <p><button name="decision" value="approve">Authorize app</button>
        <button name="decision" value="deny" formnovalidate>Cancel</button></p>
        </form>
        </body>
        </html>
        "#);
        assert_eq!(
            header(&reply, "content-security-policy"),
            "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' \
             http://localhost:1"
        );
        assert_eq!(header(&reply, "cache-control"), "no-store");
    }

    #[test]
    fn the_form_may_lead_back_and_nowhere_else() {
        for (callback, targets) in [
            ("oob", "'self'"),
            ("https://example.com/x?y", "'self' https://example.com"),
            ("myapp://back", "'self' myapp:"),
        ] {
            let policy = header(&page_of(callback), "content-security-policy");
            assert_eq!(policy.split_once("form-action ").unwrap().1, targets);
        }
    }

    #[test]
    fn ends() {
        assert!(ended(Some("0123456")).body.contains("<code>0123456</code>"));
        assert!(ended(None).body.contains("did not give permission"));
        let reply = refused("<script>");
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
        assert!(reply.body.contains("&lt;script&gt;") && !reply.body.contains("<script>"));
    }
}
