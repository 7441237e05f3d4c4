//! Against routers of our own that know just enough UPnP, NAT-PMP or PCP.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::*;

const SERVICE: &str = "urn:schemas-upnp-org:service:WANIPConnection:1";

/// What the router was asked to do, by name.
type Asked = Arc<Mutex<Vec<String>>>;

/// A router with that address outside; where it is searched, and what it is asked.
async fn router(outside: &'static str) -> (Routers, Asked) {
    let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let search = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let location = format!("HTTP/1.1 200 OK\r\nLOCATION: http://{}/root\r\n\r\n", http.local_addr().unwrap());
    let address = search.local_addr().unwrap();
    let upnp = upnp::Search { address, trusted: vec![address.ip()] };
    let (found_at, asked) = (Routers { gateway: None, upnp }, Asked::default());
    tokio::spawn(async move {
        let mut question = [0; 2048];
        while let Ok((_, from)) = search.recv_from(&mut question).await {
            search.send_to(location.as_bytes(), from).await.unwrap();
        }
    });
    let noted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = http.accept().await {
            tokio::spawn(serve(stream, outside, Arc::clone(&noted)));
        }
    });
    (found_at, asked)
}

async fn serve(mut stream: TcpStream, outside: &str, asked: Asked) {
    let (mut request, mut part) = (String::new(), [0; 4096]);
    while !is_whole(&request) {
        let length = stream.read(&mut part).await.unwrap();
        request.push_str(&String::from_utf8_lossy(&part[..length]));
    }
    let answer = answer(&request, outside, &asked);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
    stream.write_all((head + &answer).as_bytes()).await.unwrap();
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn answer(request: &str, outside: &str, asked: &Asked) -> String {
    if request.starts_with("GET /root") {
        return format!(
            "<root><device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>\
             <serviceList><service><serviceType>{SERVICE}</serviceType><SCPDURL>/schema</SCPDURL>\
             <controlURL>/control</controlURL></service></serviceList></device></root>"
        );
    }
    let arguments = "NewRemoteHost NewExternalPort NewProtocol NewInternalPort NewInternalClient NewEnabled \
                     NewPortMappingDescription NewLeaseDuration";
    let known =
        [("AddPortMapping", arguments), ("DeletePortMapping", "NewRemoteHost NewExternalPort NewProtocol")];
    if request.starts_with("GET /schema") {
        let actions: String = known.iter().map(|(name, arguments)| action(name, arguments)).collect();
        return format!("<scpd><actionList>{actions}</actionList></scpd>");
    }
    let named = |name: &&str| request.contains(&format!("{name}\""));
    let name = ["GetExternalIPAddress", "AddPortMapping", "DeletePortMapping"].into_iter().find(named);
    let name = name.expect("the router is asked nothing else");
    let body = request.split_once("\r\n\r\n").unwrap().1;
    let value = |of: &str| Some(body.split_once(&format!("<{of}>"))?.1.split_once('<')?.0);
    let port = value("NewExternalPort").unwrap_or("-");
    let protocol = value("NewProtocol").unwrap_or("-");
    asked.lock().push(format!("{name} {protocol} {port}"));
    format!(
        "<s:Envelope xmlns:s=\"e\"><s:Body><u:{name}Response xmlns:u=\"{SERVICE}\">\
         <NewExternalIPAddress>{outside}</NewExternalIPAddress></u:{name}Response></s:Body></s:Envelope>"
    )
}

fn action(name: &str, arguments: &str) -> String {
    let arguments = arguments.split_whitespace();
    let listed: String = arguments
        .map(|name| format!("<argument><name>{name}</name><direction>in</direction></argument>"))
        .collect();
    format!("<action><name>{name}</name><argumentList>{listed}</argumentList></action>")
}

async fn soon<T>(event: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), event).await.expect("the event comes in time")
}

#[tokio::test]
async fn a_port_is_mapped_told_and_unmapped_when_stopped() {
    let (routers, asked) = router("198.51.100.7").await;
    let mut mapping = PortMapping::start_at(4711, move || routers.clone());
    soon(mapping.changed()).await;
    assert_eq!(mapping.external(), Some("198.51.100.7:4711".parse().unwrap()));
    soon(mapping.stop()).await;
    let expected = ["GetExternalIPAddress - -", "AddPortMapping UDP 4711", "DeletePortMapping UDP 4711"];
    assert_eq!(*asked.lock(), expected);
}

#[tokio::test]
async fn a_router_without_a_public_address_is_no_use() {
    let (routers, asked) = router("192.168.0.2").await;
    let error = soon(map_again(None, 4711, routers)).await.err();
    assert!(matches!(error, Some(MappingError::NotPublic(_))));
    assert_eq!(*asked.lock(), ["GetExternalIPAddress - -"]);
}

/// How much of PCP a router knows.
#[derive(Clone, Copy)]
enum Knows {
    NatPmp,
    Pcp,
}

/// A router at this address of the loopback network, with another one outside. The port is fixed by the RFCs, so each
/// test has an address of its own.
async fn gateway(at: Ipv4Addr, knows: Knows, outside: Ipv4Addr) -> (Routers, Asked) {
    let socket = UdpSocket::bind((at, crab_nat::GATEWAY_PORT)).await.unwrap();
    let (mut routers, _) = router("192.168.0.2").await;
    routers.gateway = Some(at);
    let asked = Asked::default();
    let noted = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut question = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut question).await {
            let answer = match (question[0], knows) {
                (2, Knows::Pcp) => pcp_answer(&question[..length], outside, &noted),
                // RFC 6886, 3.5: version 0, result 1.
                (2, Knows::NatPmp) => vec![0, 128, 0, 1, 0, 0, 0, 9],
                _ => nat_pmp_answer(&question[..length], outside, &noted),
            };
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    (routers, asked)
}

/// RFC 6886, 3.2 and 3.3.
fn nat_pmp_answer(question: &[u8], outside: Ipv4Addr, asked: &Asked) -> Vec<u8> {
    let head = [0, 128 | question[1], 0, 0, 0, 0, 0, 9];
    if question[1] == 0 {
        return [&head[..], &outside.octets()].concat();
    }
    let (inner, lifetime) = (&question[4..6], &question[8..12]);
    note_lifetime("NAT-PMP", lifetime, asked);
    let outer = if lifetime == [0; 4] { [0; 2] } else { 5005u16.to_be_bytes() };
    [&head[..], inner, &outer, lifetime].concat()
}

/// RFC 6887, 7.2 and 11.1.
fn pcp_answer(question: &[u8], outside: Ipv4Addr, asked: &Asked) -> Vec<u8> {
    note_lifetime("PCP", &question[4..8], asked);
    let mut answer = question.to_vec();
    answer[1] |= 128;
    answer[3] = 0;
    answer[8..24].fill(0);
    if question[4..8] != [0; 4] {
        answer[42..44].copy_from_slice(&5005u16.to_be_bytes());
        answer[44..60].copy_from_slice(&outside.to_ipv6_mapped().octets());
    }
    answer
}

fn note_lifetime(protocol: &str, lifetime: &[u8], asked: &Asked) {
    let lifetime = u32::from_be_bytes(lifetime.try_into().unwrap());
    asked.lock().push(format!("{protocol} {lifetime}"));
}

#[tokio::test]
async fn a_port_is_mapped_renewed_and_unmapped_by_pcp_and_by_nat_pmp() {
    let outside = [198, 51, 100, 7];
    for (last, knows, name) in [(1, Knows::NatPmp, "NAT-PMP"), (2, Knows::Pcp, "PCP")] {
        let (routers, asked) = gateway([127, 53, 51, last].into(), knows, outside.into()).await;
        let mapped = soon(map_again(None, 4711, routers.clone())).await.unwrap();
        assert_eq!(mapped.external, (outside, 5005).into());
        assert_eq!(mapped.renew_in, RENEW);
        let renewed = soon(map_again(Some(mapped), 4711, routers)).await.unwrap();
        assert_eq!(renewed.external, (outside, 5005).into());
        soon(unmap(Some(renewed), true)).await;
        assert_eq!(*asked.lock(), [format!("{name} 3600"), format!("{name} 3600"), format!("{name} 0")]);
    }
}

#[tokio::test]
async fn a_gateway_without_a_public_address_gets_its_port_back_and_upnp_is_asked() {
    let (routers, asked) = gateway([127, 53, 51, 3].into(), Knows::Pcp, [10, 0, 0, 1].into()).await;
    let error = soon(map_again(None, 4711, routers)).await.err();
    assert!(matches!(error, Some(MappingError::NotPublic(ip)) if ip == IpAddr::from([192, 168, 0, 2])));
    assert_eq!(*asked.lock(), ["PCP 3600", "PCP 0"]);
}

#[tokio::test]
async fn a_gateway_that_knows_nothing_of_it_leaves_upnp() {
    let (mut routers, asked) = router("198.51.100.7").await;
    routers.gateway = Some([127, 53, 51, 4].into());
    let mapped = soon(map_again(None, 4711, routers)).await.unwrap();
    assert_eq!(mapped.external, "198.51.100.7:4711".parse().unwrap());
    assert_eq!(*asked.lock(), ["GetExternalIPAddress - -", "AddPortMapping UDP 4711"]);
}

#[test]
fn addresses_nobody_outside_reaches_are_not_public() {
    for ip in [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.0.1",
        "0.0.0.0",
        "fd00::1",
    ] {
        assert!(!is_public(ip.parse().unwrap()), "{ip}");
    }
    for ip in ["198.51.100.7", "100.128.0.1", "8.8.8.8"] {
        assert!(is_public(ip.parse().unwrap()), "{ip}");
    }
}
