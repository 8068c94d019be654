//! Chains of proxies, honest and not; and that nobody outside of them can choose an address.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request};
use proptest::prelude::*;

use super::*;

fn network(text: &str) -> Network {
    text.parse().unwrap_or_else(|bad| panic!("{text}: {bad}"))
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn ours() -> TrustedProxies {
    TrustedProxies::new(["10.0.0.0/8", "fd00::/8", "192.0.2.1"].map(network))
}

fn headers(lines: &[&str]) -> HeaderMap {
    let value = |line: &&str| HeaderValue::from_bytes(line.as_bytes()).expect("a header value");
    lines.iter().map(|line| (X_FORWARDED_FOR, value(line))).collect()
}

#[test]
fn the_client_is_the_last_in_the_chain_that_is_no_proxy_of_ours() {
    for (peer, lines, client) in [
        ("10.0.0.1", &["203.0.113.7"][..], "203.0.113.7"),
        ("10.0.0.1", &["10.9.9.9, 203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        ("10.0.0.1", &["1.1.1.1,2.2.2.2,203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", &["1.1.1.1", "203.0.113.7, 10.0.0.3", "10.0.0.2"], "203.0.113.7"),
        ("fd00::1", &["2001:db8::7"], "2001:db8::7"),
        ("fd00::1", &["2001:db8::7, fd00::2, 192.0.2.1"], "2001:db8::7"),
        ("192.0.2.1", &["203.0.113.7"], "203.0.113.7"),
        ("192.0.2.2", &["203.0.113.7"], "192.0.2.2"),
        ("198.51.100.1", &["203.0.113.7"], "198.51.100.1"),
        ("::ffff:10.0.0.1", &["203.0.113.7"], "203.0.113.7"),
        ("::ffff:198.51.100.1", &["203.0.113.7"], "198.51.100.1"),
        ("10.0.0.1", &["::ffff:203.0.113.7, ::ffff:10.0.0.2"], "203.0.113.7"),
    ] {
        assert_eq!(ours().client(address(peer), &headers(lines)), address(client), "{peer} {lines:?}");
    }
}

#[test]
fn entries_with_ports_and_brackets_are_read() {
    for entry in ["203.0.113.7:4711", " 203.0.113.7 ", "[::ffff:203.0.113.7]:80", "[::ffff:203.0.113.7]"] {
        assert_eq!(ours().client(address("10.0.0.1"), &headers(&[entry])), address("203.0.113.7"), "{entry}");
    }
    assert_eq!(ours().client(address("10.0.0.1"), &headers(&["[2001:db8::7]:443"])), address("2001:db8::7"));
}

#[test]
fn where_a_proxy_names_nobody_the_client_is_the_proxy() {
    for lines in [
        &[][..],
        &[""],
        &["unknown"],
        &["203.0.113.7, "],
        &["203.0.113.7, _hidden, 10.0.0.2"],
        &["203.0.113.7", "\u{fe}"],
        &["203.0.113.7 10.0.0.2"],
    ] {
        let client = ours().client(address("10.0.0.1"), &headers(lines));
        assert!(network("10.0.0.0/8").contains(client), "{lines:?}: {client}");
    }
}

#[test]
fn where_all_are_proxies_the_client_is_the_one_it_begins_with() {
    let headers = headers(&["10.0.0.4, 10.0.0.3", "10.0.0.2"]);
    assert_eq!(ours().client(address("10.0.0.1"), &headers), address("10.0.0.4"));
}

#[test]
fn a_networks_bits_and_its_address_agree() {
    for (text, inside, outside) in [
        ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
        ("0.0.0.0/0", "203.0.113.7", "2001:db8::7"),
        ("::/0", "2001:db8::7", "203.0.113.7"),
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("2001:db8::1/128", "2001:db8::1", "2001:db8::2"),
        ("::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.0"),
        ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.2"),
    ] {
        assert!(network(text).contains(address(inside)), "{inside} in {text}");
        assert!(!network(text).contains(address(outside)), "{outside} in {text}");
    }
    assert!(network("10.0.0.0/8").contains(address("::ffff:10.1.2.3")));
    for text in ["", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "proxy.example.org", "10.0.0.0/-1", "10.0.0.0/"] {
        assert_eq!(text.parse::<Network>(), Err(BadNetwork::Unreadable), "{text}");
    }
    let too_long = "10.1.2.3/8".parse::<Network>().expect_err("one of the two is a mistake");
    assert!(too_long.to_string().ends_with("the network is 10.0.0.0/8"), "{too_long}");
}

#[test]
fn it_is_the_peer_of_the_request_that_is_looked_at() {
    let find = |peer: &str| {
        let peer: SocketAddr = peer.parse().expect("an address");
        let request = Request::get("/ws").header(X_FORWARDED_FOR, "203.0.113.7").extension(ConnectInfo(peer));
        ClientAddress::from(ours()).find(&request.body(()).expect("a request").into_parts().0)
    };
    assert_eq!(find("[::ffff:10.0.0.1]:1234"), Some(address("203.0.113.7")));
    assert_eq!(find("198.51.100.1:1234"), Some(address("198.51.100.1")));
    let unknown = Request::get("/ws").header(X_FORWARDED_FOR, "203.0.113.7").body(()).expect("a request");
    assert_eq!(ClientAddress::from(ours()).find(&unknown.into_parts().0), None);
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| Ipv4Addr::from(bits).into()),
        any::<u128>().prop_map(|bits| Ipv6Addr::from(bits).into()),
        any::<u32>().prop_map(|bits| Ipv4Addr::from(bits).to_ipv6_mapped().into()),
    ]
}

fn a_stranger() -> impl Strategy<Value = IpAddr> {
    any_address().prop_filter("no proxy of ours", |address| !ours().trusts(*address))
}

fn a_proxy() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 3]>().prop_map(|[b, c, d]| Ipv4Addr::new(10, b, c, d).into()),
        any::<[u8; 3]>().prop_map(|[b, c, d]| Ipv4Addr::new(10, b, c, d).to_ipv6_mapped().into()),
        any::<u128>().prop_map(|bits| Ipv6Addr::from(bits >> 8 | 0xfd << 120).into()),
    ]
}

/// What a client may have sent along: lines with addresses, proxies of ours among them, and with anything else.
fn made_up() -> impl Strategy<Value = Vec<String>> {
    let entry = prop_oneof![
        any_address().prop_map(|address| address.to_string()),
        a_proxy().prop_map(|address| address.to_string()),
        "[ -~]{0,20}",
    ];
    prop::collection::vec(prop::collection::vec(entry, 0..4).prop_map(|entries| entries.join(", ")), 0..4)
}

/// Whether a proxy appends to the last line of the header, or adds a line of its own. Both are the same list.
fn append(lines: &mut Vec<String>, address: IpAddr, to_last: bool) {
    match lines.last_mut().filter(|_| to_last) {
        Some(line) => *line = format!("{line}, {address}"),
        None => lines.push(address.to_string()),
    }
}

proptest! {
    #[test]
    fn a_stranger_never_chooses_its_address(stranger in a_stranger(), lines in made_up()) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        prop_assert_eq!(ours().client(stranger, &headers(&lines)), stranger.to_canonical());
    }

    #[test]
    fn a_stranger_behind_proxies_never_chooses_its_address_either(
        stranger in a_stranger(),
        mut lines in made_up(),
        chain in prop::collection::vec((a_proxy(), any::<bool>()), 1..5),
    ) {
        let mut sender = stranger;
        for (proxy, to_last) in chain {
            append(&mut lines, sender, to_last);
            sender = proxy;
        }
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        prop_assert_eq!(ours().client(sender, &headers(&lines)), stranger.to_canonical());
    }

    #[test]
    fn without_proxies_every_peer_is_the_client(peer in any_address(), lines in made_up()) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        prop_assert_eq!(TrustedProxies::default().client(peer, &headers(&lines)), peer.to_canonical());
    }
}

#[test]
fn tls_is_what_our_own_loop_or_a_trusted_proxy_says() {
    let is_over_tls = |peer: &str, headers: &[(&str, &str)], own: bool| {
        let mut request = Request::builder().extension(ConnectInfo::<SocketAddr>(peer.parse().expect("an address")));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).expect("a request");
        if own {
            request.extensions_mut().insert(OverTls);
        }
        TrustedProxies::new(["10.0.0.0/8".parse().expect("a network")]).is_over_tls(&request)
    };
    assert!(is_over_tls("192.0.2.1:1", &[], true));
    assert!(!is_over_tls("192.0.2.1:1", &[("x-forwarded-proto", "https")], false), "anybody can say so");
    assert!(is_over_tls("10.0.0.1:1", &[("x-forwarded-proto", "http, HTTPS")], false));
    assert!(!is_over_tls("10.0.0.1:1", &[("x-forwarded-proto", "https, http")], false), "the last word is the proxy's");
    assert!(is_over_tls("10.0.0.1:1", &[("forwarded", "for=192.0.2.1; proto=\"https\"")], false));
    assert!(!is_over_tls("10.0.0.1:1", &[], false));
}
