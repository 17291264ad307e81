"""The libraries of PyPI: label.py TOOL CONFIGURATION MASKS LINES [LABELS]

The counterpart of src/worker.rs, with the same arguments and the same answer.
"""
import csv
import json
import re
import sys
from importlib.metadata import version


def drain3(lines, masks, labels):
    from drain3 import TemplateMiner
    from drain3.masking import MaskingInstruction
    from drain3.template_miner_config import TemplateMinerConfig

    config = TemplateMinerConfig()
    config.masking_instructions = [MaskingInstruction(pattern, name) for name, pattern in masks]
    miner = TemplateMiner(config=config)
    count, ids = 0, []
    for count, line in enumerate(lines, 1):
        id = miner.add_log_message(line)["cluster_id"]
        if labels:
            ids.append(id)
    texts = {cluster.cluster_id: cluster.get_template() for cluster in miner.drain.clusters}
    return count, len(texts), ids, [texts[i] for i in ids]


def tipping(lines, masks, labels):
    import tipping as library

    lines = list(lines)
    blacks = [pattern for _, pattern in masks]
    ids, found, _ = library.parse(lines, special_blacks=blacks, return_templates=False, return_masks=labels)
    return len(lines), len(set(ids)), ids, map(masked, lines, found)


def masked(line, mask):
    """The line with what is marked by 1, byte by byte, as <*>."""
    text = line.encode()
    if len(mask) != len(text):
        return line
    out = b"".join(b"\0" if bit == "1" else text[i : i + 1] for i, bit in enumerate(mask))
    return re.sub(b"\0+", b"<*>", out).decode(errors="replace")


def main():
    tool, configuration, masks_path, lines_path, *labels_path = sys.argv[1:]
    with open(masks_path, encoding="utf-8") as file:
        masks = [row.rstrip("\n").split("\t") for row in file if configuration == "masks"]
    with open(lines_path, encoding="utf-8", errors="replace", newline="\n") as file:
        lines = (line.rstrip("\r\n") for line in file)
        group = {"drain3": drain3, "tipping": tipping}[tool]
        count, groups, ids, templates = group(lines, masks, bool(labels_path))
    if labels_path:
        with open(labels_path[0], "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["cluster", "template"])
            writer.writerows(("" if i is None else i, template) for i, template in zip(ids, templates))
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    print(json.dumps({"version": version(tool), "lines": count, "groups": groups, "peak_kib": peak}))


main()
