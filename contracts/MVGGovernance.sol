// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Governance} from "./Governance.sol";

/// @title The interface of the first sketch of this contract, over the verified one
/// @dev Written by hand. It adds no way to change what `Governance` keeps: each function here calls its functions, in
/// the name of the same sender. `vote`, `execute` and `reputation` are those of `Governance` already.
contract MVGGovernance is Governance {
    /// The number that `propose` tries first.
    uint256 public proposalCount;

    mapping(uint256 => string) private _descriptions;

    /// A proposal was written with this text; its payload is the hash of the text.
    event Described(uint256 indexed proposal, string description);

    /// @notice less reputation than a proposal takes
    error InsufficientReputation();

    constructor(Parameters memory parameters, address[] memory members_, address[] memory auditors_)
        Governance(parameters, members_, auditors_)
    {}

    /// Drafts, submits and opens for voting in one go. Those without enough reputation are refused here, at no cost;
    /// with `draft` and `submit` they would get a proposal that is rejected.
    function propose(string calldata description) external returns (uint256 proposal) {
        if (reputation(msg.sender) < PROPOSE_THRESHOLD) revert InsufficientReputation();
        proposal = proposalCount;
        // Members may draft under any number, so some may be taken.
        while (stage(proposal) != Stage.Unwritten) ++proposal;
        proposalCount = proposal + 1;
        _descriptions[proposal] = description;
        emit Described(proposal, description);
        draft(proposal, keccak256(bytes(description)));
        submit(proposal);
        openVoting(proposal);
    }

    /// Moves `proposalCount` on over at most so many numbers that are taken. Otherwise one who drafts under many of them
    /// could make `propose` cost more than a block may.
    function skip(uint256 most) external {
        uint256 proposal = proposalCount;
        for (; most > 0 && stage(proposal) != Stage.Unwritten; --most) ++proposal;
        proposalCount = proposal;
    }

    /// What the sketch kept of a proposal; times are in seconds, as there.
    function proposals(uint256 proposal)
        external
        view
        returns (
            address proposedBy,
            string memory description,
            uint256 start,
            uint256 end,
            uint256 yesVotes,
            uint256 noVotes,
            bool executed
        )
    {
        // No cast can wrap: these are times of blocks, periods and sums of reputations that are not negative.
        return (
            proposer(proposal),
            _descriptions[proposal],
            uint256(voteStart(proposal)) / 1000,
            uint256(voteEnd(proposal)) / 1000,
            uint256(yes(proposal)),
            uint256(no(proposal)),
            executions(proposal) > 0
        );
    }
}
