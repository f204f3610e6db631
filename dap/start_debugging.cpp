#include "dap/start_debugging.hpp"

#include "dap/message.hpp"

namespace dap {

nlohmann::json start_debugging(const ClientTraits& client, const nlohmann::json& parent, const std::string& name,
                               const std::string& announced) {
    nlohmann::json configuration = {{"name", name}, {"request", "attach"}, {"child", announced}};
    // The specification forbids `type` here, nvim-dap crashes without it, VS Code overwrites it.
    const nlohmann::json& type = member(parent, "type");
    configuration["type"] = type.is_string() ? type : nlohmann::json(client.adapter_id);
    // Children inherit nothing: the Python Debugger extension and Vimspector find the bridge again only through these.
    for (const char* way : {"connect", "debugServer"}) {
        if (const nlohmann::json& value = member(parent, way); !value.is_null())
            configuration[way] = value;
    }
    return {{"request", "attach"}, {"configuration", std::move(configuration)}};
}

}  // namespace dap
