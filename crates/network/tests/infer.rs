//! Shape and type inference, one table a layer family: what a layer makes of its inputs, and what it refuses.

use network::{Network, format_dims};

/// Adds one layer. An input is a type (`float32[s0,3]`), a constant (`int64[2] = [1, -1]`) or `_`.
fn infer(layer: &str, inputs: &[&str]) -> Result<String, String> {
    let mut text = "network\nsymbol s0 in 1..=8 opt 4\nsymbol s1 in 1.. opt 4\n".to_owned();
    let mut ids = Vec::new();
    for (k, input) in inputs.iter().enumerate() {
        match input.split_once(" = ") {
            _ if *input == "_" => {}
            Some((ty, values)) => text += &format!("%{k}: {ty} = Constant({values}) \"c{k}\"\n"),
            None => text += &format!("input %{k} \"x{k}\": {input}\n"),
        }
        ids.push(if *input == "_" { "_".to_owned() } else { format!("%{k}") });
    }
    // Reading wants the types of the outputs, so they are read from its complaint about none.
    let network = Network::parse(&text, &|_| None).map_err(|e| panic!("{e}")).unwrap();
    let layer = format!("{layer}({}) \"layer\" from \"aten.op\" \"module\" \"net.py:1\"", ids.join(", "));
    for count in 0..3 {
        let declared: Vec<_> = (0..count).map(|k| format!("%{}: float32[]", 90 + k)).collect();
        let line = if count == 0 { layer.clone() } else { format!("{} = {layer}", declared.join(", ")) };
        match Network::parse(&format!("{text}{line}\n"), &|_| None) {
            Err(e) if e.to_string().contains("tensors, ") && e.to_string().contains(" are written") => {}
            Err(network::Error::Text { problem, .. }) if problem.contains("but inference finds") => return Ok(outputs(&network, &layer)),
            Err(network::Error::Text { problem, .. }) => return Err(problem),
            Err(e) => panic!("{e}"),
            Ok(_) => return Ok(outputs(&network, &layer)),
        }
    }
    panic!("more outputs than any layer has")
}

/// The outputs, now that the layer is known to be good.
fn outputs(network: &Network, layer: &str) -> String {
    let mut network = network.clone();
    let head = network.to_string();
    // One output at a time is corrected by what inference finds.
    let mut types: Vec<String> = Vec::new();
    loop {
        let written: Vec<_> = types.iter().map(String::as_str).chain(["bool[7,7,7]"]).collect();
        let line = |types: &[&str]| {
            let declared: Vec<_> = types.iter().enumerate().map(|(k, t)| format!("%{}: {t}", 90 + k)).collect();
            format!("{head}{}{}{layer}", declared.join(", "), if types.is_empty() { "" } else { " = " })
        };
        let done: Vec<_> = types.iter().map(String::as_str).collect();
        if let Ok(read) = Network::parse(&line(&done), &|_| None) {
            network = read;
            break;
        }
        match Network::parse(&line(&written), &|_| None) {
            Err(network::Error::Text { problem, .. }) if problem.contains("inference finds ") => {
                types.push(problem.rsplit("inference finds ").next().unwrap().to_owned());
            }
            // The count is wrong until all are there: guess the next.
            Err(_) => types.push("bool[7,7,7]".to_owned()),
            Ok(_) => unreachable!("no layer makes that"),
        }
    }
    let made = &network.layers().last().unwrap().outputs;
    made.iter().map(|id| network.tensor(*id).type_text()).collect::<Vec<_>>().join(" ")
}
