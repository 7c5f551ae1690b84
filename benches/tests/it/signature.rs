use base64::{Engine as _, engine::general_purpose::STANDARD};
use benches::signature::{BASE_STRING, KEY, Request, hmac_sha1};

/// Signing is measured beside the code over the very bytes that are signed.
#[test]
fn the_base_string_is_that_of_the_request() {
    let header = Request::registration().unwrap().sign();
    let bare = hmac_sha1(KEY.as_bytes(), BASE_STRING.as_bytes()).unwrap();
    let signature =
        STANDARD.encode(bare).replace('=', "%3D").replace('+', "%2B").replace('/', "%2F");
    let header = header.to_str().unwrap();
    assert!(header.contains(&format!("oauth_signature=\"{signature}\"")), "{header}");
}
