//! What of a request is signed, in its normal form.

use http::Method;
use oauth1_request::{
    Request,
    serializer::Serializer,
    signature_method::{Sign, SignatureMethod},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_decode, percent_encode};
use url::Url;

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes as RFC 3986 (and section 3.6 of RFC 5849) wants it.
pub(crate) fn encode<T: AsRef<[u8]> + ?Sized>(text: &T) -> PercentEncode<'_> {
    percent_encode(text.as_ref(), RESERVED)
}

/// Returns the URL without query: scheme and host in lower case, the scheme's own port dropped.
///
/// `Url` did all of that when it was parsed. User and password are no part of it.
pub(super) fn base_url(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
    format!("{}://{host}{port}{}", url.scheme(), url.path())
}

/// Returns the method as it is signed.
pub(super) fn base_method(method: &Method) -> String {
    method.as_str().to_ascii_uppercase()
}

/// The parameters of a request, sorted, percent-encoded once.
pub(super) struct Parameters(Vec<Parameter>);

/// One parameter. The order of the members is the order of sorting.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Parameter {
    name: String,
    value: String,
}

impl Parameters {
    /// Takes the parameters of the query, of the form, and the header's own.
    pub(super) fn collect<'a>(
        url: &Url,
        form: &'a [(&'a str, &'a str)],
        header: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mut all: Vec<_> = query_parameters(url).collect();
        for (name, value) in form.iter().copied().chain(header) {
            all.push(Parameter::new(name.as_bytes(), value.as_bytes()));
        }
        all.sort_unstable();
        Self(all)
    }

    /// Returns the name of the first protocol parameter that is there twice.
    ///
    /// RFC 5849, section 3.1, forbids it: one would be signed and the other believed.
    pub(super) fn duplicate_protocol_parameter(&self) -> Option<&str> {
        let mut pairs = self.0.iter().zip(self.0.iter().skip(1));
        let (duplicate, _) =
            pairs.find(|(a, b)| a.name == b.name && a.name.starts_with("oauth_"))?;
        Some(&duplicate.name)
    }

    /// Says whether a parameter is there.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|parameter| parameter.name == name)
    }

    /// Signs a request whose protocol parameters are among these.
    pub(super) fn sign<M: SignatureMethod>(
        &self,
        method: &Method,
        url: &Url,
        signature_method: M,
        secrets: (&str, Option<&str>),
    ) -> <M::Sign as Sign>::Signature {
        let mut sign = signature_method.sign_with(secrets.0, secrets.1);
        sign.request_method(&base_method(method));
        sign.uri(encode(&base_url(url)));
        for (index, Parameter { name, value }) in self.0.iter().enumerate() {
            if index > 0 {
                sign.delimiter();
            }
            sign.parameter(&encode(name).to_string(), encode(value));
        }
        sign.end()
    }
}

/// The name of a protocol parameter, and what makes a serializer `S` write it.
type Step<S> = (&'static str, fn(&mut S));

/// For requests whose protocol parameters are still to be made: the serializer knows them, and
/// each has its place among the sorted others.
impl Request for Parameters {
    fn serialize<S: Serializer>(&self, mut serializer: S) -> S::Output {
        let protocol: [Step<S>; 8] = [
            ("oauth_callback", S::serialize_oauth_callback),
            ("oauth_consumer_key", S::serialize_oauth_consumer_key),
            ("oauth_nonce", S::serialize_oauth_nonce),
            ("oauth_signature_method", S::serialize_oauth_signature_method),
            ("oauth_timestamp", S::serialize_oauth_timestamp),
            ("oauth_token", S::serialize_oauth_token),
            ("oauth_verifier", S::serialize_oauth_verifier),
            ("oauth_version", S::serialize_oauth_version),
        ];
        let mut protocol = protocol.into_iter().peekable();
        for Parameter { name, value } in &self.0 {
            while let Some((_, serialize)) = protocol.next_if(|(own, _)| *own <= name.as_str()) {
                serialize(&mut serializer);
            }
            // The serializer encodes a name not at all and an encoded value once more; the base
            // string needs both encoded twice. Encoding keeps the order.
            serializer.serialize_parameter_encoded(&encode(name).to_string(), value);
        }
        for (_, serialize) in protocol {
            serialize(&mut serializer);
        }
        serializer.end()
    }
}

impl Parameter {
    fn new(name: &[u8], value: &[u8]) -> Self {
        Self { name: encode(name).to_string(), value: encode(value).to_string() }
    }
}

/// Returns the parameters of the query, read as a form: `+` is a space, and what is already
/// encoded is decoded first.
///
/// `Url::query_pairs` would do, but for bytes that are not UTF-8: it replaces them, and two
/// different requests would have one signature.
fn query_parameters(url: &Url) -> impl Iterator<Item = Parameter> {
    let parts = url.query().unwrap_or_default().split('&');
    parts.filter(|part| !part.is_empty()).map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let [name, value] = [name, value].map(|text| {
            let text = text.replace('+', " ");
            percent_decode(text.as_bytes()).collect::<Vec<u8>>()
        });
        Parameter::new(&name, &value)
    })
}
