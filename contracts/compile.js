// Contracts in a directory to artifacts: the ABI, the bytecode, and the compiler and settings that make it again.
//
//   npm ci && node compile.js [TO FROM]      the directories: all that ship, if nothing is said
//
// Needs Node 20 or newer and the package `solc` in the version that package.json names. Never looks at the network.
const fs = require("fs");
const path = require("path");
const solc = require("solc");

const LIMIT = 24576; // bytes of a contract: EIP-170

const settings = {
  viaIR: true,
  optimizer: { enabled: true, runs: 200 },
  evmVersion: "cancun",
  // No hash of the source at the end: the same code is the same bytes, wherever it is compiled.
  metadata: { bytecodeHash: "none", appendCBOR: false },
};
const outputSelection = { "*": { "*": ["abi", "userdoc", "evm.bytecode.object", "evm.deployedBytecode.object"] } };

function fail(text) {
  console.error(text);
  process.exitCode = 1;
}

function compile(out, here) {
  const sources = {};
  for (const name of fs.readdirSync(here).sort()) {
    if (name.endsWith(".sol")) sources[name] = { content: fs.readFileSync(path.join(here, name), "utf8") };
  }
  const input = { language: "Solidity", sources, settings: { ...settings, outputSelection } };
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  // A warning is a failure, too: contracts that are deployed have none.
  for (const found of output.errors || []) fail(found.formattedMessage);
  if (process.exitCode) return;
  fs.mkdirSync(out, { recursive: true });
  for (const [source, contracts] of Object.entries(output.contracts)) {
    for (const [contract, made] of Object.entries(contracts)) {
      const size = made.evm.deployedBytecode.object.length / 2;
      const artifact = {
        contract,
        source,
        compiler: solc.version(),
        settings,
        size,
        abi: made.abi,
        userdoc: made.userdoc,
        bytecode: "0x" + made.evm.bytecode.object,
        deployedBytecode: "0x" + made.evm.deployedBytecode.object,
      };
      fs.writeFileSync(path.join(out, contract + ".json"), JSON.stringify(artifact, null, 1) + "\n");
      console.log(`${contract}  ${size} bytes`);
      if (size > LIMIT) fail(`${contract} is larger than ${LIMIT} bytes and cannot be deployed`);
    }
  }
}

const [out, here] = process.argv.slice(2);
if (out) {
  compile(out, here);
} else {
  for (const each of [".", "seed"]) compile(path.join(__dirname, each, "artifacts"), path.join(__dirname, each));
}
