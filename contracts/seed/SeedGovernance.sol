// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title The governance contract of the first sketch, as it was written. DO NOT USE: it is here to be broken.
/// @dev `specs/mvg/seed_contract.policy` says what is wrong with it and has a run for each flaw; the tests send those
/// runs to this contract as transactions. `Governance` is the repair. From `struct Proposal` on, this is the text of the
/// sketch to the letter; above it stands what that text uses and does not declare. It has no pragma either: before
/// Solidity 0.8 its sums would wrap.
contract SeedGovernance {
    uint256 public constant VOTING_PERIOD = 24 hours;
    uint256 public immutable MIN_REPUTATION;
    uint256 public immutable REPUTATION_REWARD;

    /// The text gives nobody a first reputation, so without `holders` nobody can ever propose.
    constructor(uint256 minReputation, uint256 reputationReward, uint256 initialReputation, address[] memory holders) {
        MIN_REPUTATION = minReputation;
        REPUTATION_REWARD = reputationReward;
        for (uint256 i = 0; i < holders.length; ++i) reputation[holders[i]] = initialReputation;
    }

    struct Proposal {
        address proposer;
        string description;
        uint256 voteStart;
        uint256 voteEnd;
        uint256 yesVotes;
        uint256 noVotes;
        bool executed;
    }

    mapping(uint256 => Proposal) public proposals;
    mapping(address => uint256) public reputation;
    uint256 public proposalCount;

    function propose(string memory description) public {
        require(reputation[msg.sender] >= MIN_REPUTATION, "Insufficient reputation");

        proposals[proposalCount] = Proposal({
            proposer: msg.sender,
            description: description,
            voteStart: block.timestamp,
            voteEnd: block.timestamp + VOTING_PERIOD,
            yesVotes: 0,
            noVotes: 0,
            executed: false
        });

        proposalCount++;
    }

    function vote(uint256 proposalId, bool support) public {
        Proposal storage proposal = proposals[proposalId];
        require(block.timestamp >= proposal.voteStart, "Voting not started");
        require(block.timestamp <= proposal.voteEnd, "Voting ended");

        uint256 voteWeight = reputation[msg.sender];

        if (support) {
            proposal.yesVotes += voteWeight;
        } else {
            proposal.noVotes += voteWeight;
        }
    }

    function execute(uint256 proposalId) public {
        Proposal storage proposal = proposals[proposalId];
        require(block.timestamp > proposal.voteEnd, "Voting not ended");
        require(!proposal.executed, "Already executed");
        require(proposal.yesVotes > proposal.noVotes, "Proposal rejected");

        // Execute governance action
        proposal.executed = true;

        // Update reputations
        reputation[proposal.proposer] += REPUTATION_REWARD;
    }
}
